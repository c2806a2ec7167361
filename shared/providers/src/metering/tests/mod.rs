//! Figures of answers in every shape, and fields that only look like them.

mod charges;
mod counts;
mod endings;
mod places;

use bytes::Bytes;
use keyway_domain::PriceTerms;

use super::*;
use crate::Catalog;

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const MESSAGES: &str = "/v1/messages";

fn figures(provider: &str, path: &str) -> Figures {
    Figures::new(Catalog::load(None).unwrap().get(provider).unwrap(), path)
}

fn whole(provider: &str, path: &str, json: &str) -> Metered {
    let mut figures = figures(provider, path);
    let mut body = JsonBody::default();
    body.push(&mut figures, &Bytes::copy_from_slice(json.as_bytes()));
    body.finish(&mut figures);
    figures.take()
}

fn stream(provider: &str, path: &str, events: &[&str]) -> (Metered, Ending) {
    let mut figures = figures(provider, path);
    for event in events {
        figures.event(event.as_bytes());
    }
    (figures.take(), figures.ending())
}

fn tokens(provider: &str, path: &str, usage: &str) -> TokenCounts {
    whole(provider, path, &format!("{{\"usage\":{usage}}}")).tokens
}

fn counts(input: Option<i64>, cached_input: Option<i64>, output: Option<i64>, reasoning: Option<i64>) -> TokenCounts {
    TokenCounts { input, cached_input, output, reasoning, ..TokenCounts::default() }
}
