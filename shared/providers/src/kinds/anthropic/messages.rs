//! Reads model and tokens from Anthropic's messages, whole or streamed. Keeps nothing of the content;
//! a figure that cannot be read is unknown, and so is every sum it belongs to.
//!
//! Its `input_tokens` are those that have nothing to do with the cache; ours are all of them.

use keyway_domain::TokenCounts;
use serde::Deserialize;

use crate::{
    Metered,
    lenient::{Count, Maybe, Object, Text},
    metering, scan,
};

/// Those of a [`Message`].
const FIELDS: [&str; 3] = ["model", "usage", "input_tokens"];

/// Whether a call of `path` only counts the tokens of a message. That is free, and the answer names no model.
pub(crate) fn is_count(path: &str) -> bool {
    path.ends_with("/count_tokens")
}

/// Reads a whole JSON answer; everything is unknown if it is not one.
pub(crate) fn body(path: &str, bytes: &[u8]) -> Metered {
    let answer: Maybe<Message> = serde_json::from_slice(&scan::only(bytes, &FIELDS)).unwrap_or_default();
    let answer = answer.0.unwrap_or_default();
    if is_count(path) && answer.input_tokens.0.is_some() {
        let tokens = TokenCounts { input: Some(0), output: Some(0), ..TokenCounts::default() };
        return Metered { model: None, tokens, cost_nano_usd: Some(0) };
    }
    let tokens = answer.usage.0.map(|usage| usage.over(TokenCounts::default())).unwrap_or_default();
    Metered { model: answer.model.0, tokens, cost_nano_usd: None }
}

/// Reads the data of one event into what the stream has shown so far and says whether it had figures;
/// `None` for what is no event of this shape. The first event has the input, the last one the whole
/// output and at times the input anew: what comes later replaces.
pub(crate) fn event(so_far: &mut Metered, data: &[u8]) -> Option<bool> {
    if !metering::has_usage(data) {
        return Some(false);
    }
    let event: Maybe<Event> = serde_json::from_slice(data).unwrap_or_default();
    let event = event.0?;
    let (model, usage) = match event.kind.0?.as_str() {
        "message_start" => event.message.0.map(|message| (message.model.0, message.usage.0)).unwrap_or_default(),
        "message_delta" => (None, event.usage.0),
        _ => return Some(false),
    };
    so_far.model = model.or(so_far.model.take());
    so_far.tokens = usage.map_or(so_far.tokens, |usage| usage.over(so_far.tokens));
    Some(usage.is_some())
}

#[derive(Default, Deserialize)]
struct Message {
    #[serde(default)]
    model: Text,
    #[serde(default)]
    usage: Maybe<Usage>,
    /// The whole answer to a count.
    #[serde(default)]
    input_tokens: Count,
}

#[derive(Deserialize)]
struct Event {
    #[serde(default, rename = "type")]
    kind: Text,
    #[serde(default)]
    message: Maybe<Message>,
    #[serde(default)]
    usage: Maybe<Usage>,
}

/// A field that is absent or null says nothing and leaves what was said before.
#[derive(Clone, Copy, Deserialize)]
struct Usage {
    #[serde(default)]
    input_tokens: Option<Count>,
    #[serde(default)]
    cache_read_input_tokens: Option<Count>,
    #[serde(default)]
    cache_creation_input_tokens: Option<Count>,
    #[serde(default)]
    cache_creation: Maybe<CacheCreation>,
    #[serde(default)]
    output_tokens: Option<Count>,
    #[serde(default)]
    output_tokens_details: Maybe<OutputDetails>,
    #[serde(default)]
    server_tool_use: Maybe<ServerToolUse>,
}

/// What the provider's own tools did, as far as it is charged by number.
#[derive(Clone, Copy, Deserialize)]
struct ServerToolUse {
    #[serde(default)]
    web_search_requests: Option<Count>,
}

/// What was written to the cache, by how long it is kept there.
#[derive(Clone, Copy, Deserialize)]
pub(crate) struct CacheCreation {
    #[serde(default)]
    ephemeral_5m_input_tokens: Count,
    #[serde(default)]
    pub(crate) ephemeral_1h_input_tokens: Count,
}

#[derive(Clone, Copy, Deserialize)]
struct OutputDetails {
    #[serde(default)]
    thinking_tokens: Option<Count>,
}

impl Object for Message {}
impl Object for Event {}
impl Object for Usage {}
impl Object for CacheCreation {}
impl Object for OutputDetails {}
impl Object for ServerToolUse {}

impl CacheCreation {
    /// All that was written.
    pub(crate) fn total(self) -> Option<i64> {
        self.ephemeral_5m_input_tokens.0?.checked_add(self.ephemeral_1h_input_tokens.0?)
    }
}

impl Usage {
    /// These figures, and those of `before` where there is none.
    fn over(self, before: TokenCounts) -> TokenCounts {
        let said = |field: Option<Count>, before| field.map_or(before, |count| count.0);
        let kinds = self.cache_creation.0;
        let cached_input = said(self.cache_read_input_tokens, before.cached_input);
        let written = kinds.map_or(before.cache_write, CacheCreation::total);
        let cache_write = said(self.cache_creation_input_tokens, written);
        let kept_1h = before.cache_write_1h.filter(|kept| cache_write.is_some_and(|written| *kept <= written));
        let uncached = said(self.input_tokens, uncached(before));
        let searches = self.server_tool_use.0.and_then(|tools| tools.web_search_requests);
        let input = self.all(uncached, cached_input, cache_write);
        TokenCounts {
            input: input.filter(|_| metering::is_readable(searches)),
            cached_input,
            cache_write,
            cache_write_1h: kinds.map_or(kept_1h, |kinds| kinds.ephemeral_1h_input_tokens.0),
            output: said(self.output_tokens, before.output),
            reasoning: said(self.output_tokens_details.0.and_then(|details| details.thinking_tokens), before.reasoning),
            web_searches: said(searches, before.web_searches),
            ..TokenCounts::default()
        }
    }

    /// All input. A part that was never named did not occur; one that cannot be read makes the sum unknown.
    fn all(self, uncached: Option<i64>, cached: Option<i64>, written: Option<i64>) -> Option<i64> {
        let unreadable = [self.cache_read_input_tokens, self.cache_creation_input_tokens].into_iter().flatten();
        if unreadable.into_iter().any(|count| count.0.is_none()) {
            return None;
        }
        uncached?.checked_add(cached.unwrap_or(0))?.checked_add(written.unwrap_or(0))
    }
}

fn uncached(tokens: TokenCounts) -> Option<i64> {
    tokens.input?.checked_sub(tokens.cached_input.unwrap_or(0))?.checked_sub(tokens.cache_write.unwrap_or(0))
}
