//! Recorded answers through a provider: the finding of a probe, and the expected figures.

use bytes::Bytes;
use keyway_domain::TokenCounts;
use keyway_providers::{Figures, Finding, JsonBody, Metered, ProviderSpec};
use keyway_testkit::replay::{Fixture, Received, Replay};
use serde_json::Value;
use url::Url;

use crate::world::{client, predefined, secret, target};

/// Returns the finding of a probe with `key` that gets this answer, and its request.
pub(crate) async fn probed(provider: &str, case: Fixture, key: &str) -> anyhow::Result<(Finding, Received)> {
    let server = Replay::start(vec![case]).await?;
    let (ways, spec) = predefined(provider)?;
    let base: Url = format!("{}{}", server.root, spec.base_url.path().trim_end_matches('/')).parse()?;
    let finding = ways.probe(target(&base, &secret(key)), &client(&server.host)?).await;
    let asked = server.received().pop().ok_or_else(|| anyhow::anyhow!("nothing was asked"))?;
    Ok((finding, asked))
}

/// Converts figures to the fixtures' form, which tells nothing from none only where it matters.
pub(crate) fn plain(tokens: TokenCounts) -> TokenCounts {
    let is_some = |count: &i64| *count > 0;
    let (cache_write, reasoning) = (Some(tokens.cache_write.unwrap_or(0)), Some(tokens.reasoning.unwrap_or(0)));
    let (audio_input, audio_output) = (tokens.audio_input.filter(is_some), tokens.audio_output.filter(is_some));
    let cached_audio_input = tokens.cached_audio_input.filter(is_some);
    TokenCounts { cache_write, reasoning, audio_input, cached_audio_input, audio_output, ..tokens }
}

/// Returns the fixture's tokens in the ledger's normal form.
pub(crate) fn expected(usage: &Value) -> TokenCounts {
    let figure = |name: &str| usage[name].as_i64();
    let (cached, written) = (figure("input_cached"), figure("cache_write"));
    TokenCounts {
        input: figure("input_uncached").map(|uncached| uncached + cached.unwrap_or(0) + written.unwrap_or(0)),
        cached_input: cached,
        cache_write: written,
        cache_write_1h: None,
        output: figure("output"),
        reasoning: figure("reasoning"),
        ..TokenCounts::default()
    }
}

/// Returns the figures of a whole answer to a call of `path`.
pub(crate) fn metered(spec: &ProviderSpec, path: &str, body: &[u8]) -> Metered {
    let (mut figures, mut whole) = (Figures::new(spec, path), JsonBody::default());
    whole.push(&mut figures, &Bytes::copy_from_slice(body));
    whole.finish(&mut figures);
    figures.take()
}

/// Returns the figures of a stream's events, one per line; `None`: no event has any.
pub(crate) fn metered_events(spec: &ProviderSpec, path: &str, stream: &[u8]) -> Option<Metered> {
    let lines = stream.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"data: "));
    let mut figures = Figures::new(spec, path);
    let shown = lines.filter(|data| figures.event(data)).count();
    (shown > 0).then(|| figures.take())
}
