//! The headers of a proxied call, and the figures metered from recorded answers, to the token.

use anyhow::{Context, Result, ensure};
use keyway_domain::TokenCounts;
use keyway_providers::Metered;
use keyway_testkit::replay::Fixture;
use serde_json::Value;

use super::{NONE, subject::Subject};
use crate::recorded::{expected, metered, metered_events};

/// The headers that carry the key on a chat and on every recorded call; each call has exactly one.
pub(super) fn headers(subject: &Subject) -> Result<String> {
    if !subject.spec.is_callable() {
        let key = subject.admin.as_ref().context("no admin key")?;
        ensure!(subject.headers_with(key, "/").is_err(), "its key is sent though it cannot be called");
        return Ok("not callable".to_owned());
    }
    let key = subject.ordinary.as_ref().context("no key that calls")?;
    let chat = [subject.spec.base_url.path().trim_end_matches('/'), &subject.spec.chat_endpoint()].concat();
    let recorded = subject.cases.iter().filter(|case| is_whole(case) || is_stream(case));
    let mut names = Vec::new();
    for path in recorded.map(|case| case.path.as_str()).chain([chat.as_str()]) {
        let [name] = <[String; 1]>::try_from(subject.headers_with(key, path)?)
            .map_err(|found| anyhow::anyhow!("{path}: the key is in {found:?}"))?;
        names.push(name);
    }
    names.sort_unstable();
    names.dedup();
    Ok(names.join(", "))
}

/// Whole answers show the tokens, and the charge, that their fixtures state.
pub(super) fn whole(subject: &Subject) -> Result<String> {
    let mut cell = NONE;
    for case in subject.cases.iter().filter(|case| is_whole(case)) {
        let found = metered(&subject.spec, &case.path, &case.body);
        agrees(case, &found).with_context(|| case.name.clone())?;
        cell = "metered";
    }
    Ok(cell.to_owned())
}

/// The same of streams; one that shows no figures is metered as unknown.
pub(super) fn streamed(subject: &Subject) -> Result<String> {
    let mut cell = NONE;
    for case in subject.cases.iter().filter(|case| is_stream(case)) {
        // Gemini's streams are events or one JSON list.
        let is_json = serde_json::from_slice::<Value>(&case.body).is_ok();
        let found = if is_json {
            Some(metered(&subject.spec, &case.path, &case.body))
        } else {
            metered_events(&subject.spec, &case.path, &case.body)
        };
        if case.expect["usage"].is_null() {
            ensure!(found.is_none(), "{}: {found:?}", case.name);
            continue;
        }
        agrees(case, &found.unwrap_or_default()).with_context(|| case.name.clone())?;
        cell = "metered";
    }
    Ok(cell.to_owned())
}

/// Reads an exact decimal number of dollars.
pub(super) fn nano_usd(dollars: &str) -> Option<i64> {
    let (whole, decimals) = dollars.split_once('.').unwrap_or((dollars, ""));
    let nano: String = decimals.chars().chain("000000000".chars()).take(9).collect();
    format!("{whole}{nano}").parse().ok()
}

fn is_whole(case: &Fixture) -> bool {
    ["chat", "embeddings"].contains(&case.kind.as_str()) && case.status == 200 && case.expect["usage"].is_object()
}

fn is_stream(case: &Fixture) -> bool {
    ["chat_stream", "responses_stream"].contains(&case.kind.as_str())
}

/// Every figure that the fixture states is the one that was metered.
fn agrees(case: &Fixture, metered: &Metered) -> Result<()> {
    let figures =
        |tokens: TokenCounts| [tokens.input, tokens.cached_input, tokens.cache_write, tokens.output, tokens.reasoning];
    let stated = expected(&case.expect["usage"]);
    ensure!(stated.input.is_some(), "the fixture states no tokens");
    // A stream that ends before it says so has given nobody knows what.
    ensure!(
        stated.output.is_some() || metered.tokens.output.is_none(),
        "{:?} of an unknown output",
        metered.tokens.output
    );
    let differ = figures(stated).into_iter().zip(figures(metered.tokens)).any(|(stated, metered)| match stated {
        // A cache or reasoning that a provider does not have is not told.
        Some(0) => !matches!(metered, None | Some(0)),
        Some(_) => metered != stated,
        None => false,
    });
    ensure!(!differ, "{:?} instead of {stated:?}", metered.tokens);
    if let Some(charge) = case.expect["cost_usd"].as_str() {
        ensure!(metered.cost_nano_usd == nano_usd(charge), "a charge of {:?}", metered.cost_nano_usd);
    }
    Ok(())
}
