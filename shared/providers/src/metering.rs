//! Reads model and tokens from OpenAI-shaped answers, whole or streamed. Builds no tree of the
//! answer and keeps none of its content; a figure of an unexpected kind is unknown, not 0.

use keyway_domain::{NanoUsd, TokenCounts};
use memchr::memmem;
use serde::Deserialize;

use crate::{
    OutputTokens, ProviderSpec,
    lenient::{Count, Dollars, Maybe, Object, Text},
};

/// What one answer, or one event of it, says about its cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metered {
    /// The model the provider says it used.
    pub model: Option<String>,
    /// The tokens it counted.
    pub tokens: TokenCounts,
    /// What it says it charges, where it says so.
    pub cost_nano_usd: Option<NanoUsd>,
}

/// Reads a whole JSON answer of a provider; everything is unknown if it is not one.
pub(crate) fn body(spec: &ProviderSpec, path: &str, bytes: &[u8]) -> Metered {
    charged(spec, read_body(spec.output_tokens, path, bytes))
}

/// Reads the data of one event of a provider. Only events with a `"usage"` that is not null are parsed at all.
pub(crate) fn event(spec: &ProviderSpec, data: &[u8]) -> Option<Metered> {
    read_event(spec.output_tokens, data).map(|metered| charged(spec, metered))
}

/// A charge is one only where the provider is known to state it, in US dollars.
fn charged(spec: &ProviderSpec, metered: Metered) -> Metered {
    Metered { cost_nano_usd: metered.cost_nano_usd.filter(|_| spec.states_charge), ..metered }
}

fn read_body(output: OutputTokens, path: &str, bytes: &[u8]) -> Metered {
    let answer: Maybe<Answer> = serde_json::from_slice(bytes).unwrap_or_default();
    let mut metered = answer.0.unwrap_or_default().into_metered(output);
    if path.ends_with("/embeddings") && metered.tokens.input.is_some() {
        // The shape of embeddings has no output count because there is no output to count.
        metered.tokens.output = metered.tokens.output.or(Some(0));
    }
    metered
}

fn read_event(output: OutputTokens, data: &[u8]) -> Option<Metered> {
    if !has_usage(data) {
        return None;
    }
    let answer: Maybe<Answer> = serde_json::from_slice(data).ok()?;
    let metered = answer.0?.into_metered(output);
    (metered.tokens != TokenCounts::default()).then_some(metered)
}

/// Whether the data names a `"usage"` that is an object: cheap, and enough to leave most events alone.
pub(crate) fn has_usage(data: &[u8]) -> bool {
    memmem::find_iter(data, b"\"usage\"").any(|at| {
        let mut rest = data.get(at + 7..).unwrap_or_default().trim_ascii_start();
        rest = rest.strip_prefix(b":").unwrap_or_default().trim_ascii_start();
        rest.starts_with(b"{")
    })
}

#[derive(Default, Deserialize)]
struct Answer {
    #[serde(default)]
    model: Text,
    #[serde(default)]
    usage: Maybe<Usage>,
    /// Where Groq puts the figures of a stream.
    #[serde(default)]
    x_groq: Maybe<Extension>,
    /// Where the events of the Responses API carry the answer.
    #[serde(default)]
    response: Maybe<Inner>,
}

#[derive(Default, Deserialize)]
struct Inner {
    #[serde(default)]
    model: Text,
    #[serde(default)]
    usage: Maybe<Usage>,
}

#[derive(Default, Deserialize)]
struct Extension {
    #[serde(default)]
    usage: Maybe<Usage>,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct Usage {
    #[serde(default)]
    prompt_tokens: Count,
    #[serde(default)]
    completion_tokens: Count,
    /// The Responses API's names; some hosts send both.
    #[serde(default)]
    input_tokens: Count,
    #[serde(default)]
    output_tokens: Count,
    #[serde(default)]
    total_tokens: Count,
    #[serde(default)]
    prompt_tokens_details: Maybe<InputDetails>,
    #[serde(default)]
    completion_tokens_details: Maybe<OutputDetails>,
    #[serde(default)]
    input_tokens_details: Maybe<InputDetails>,
    #[serde(default)]
    output_tokens_details: Maybe<OutputDetails>,
    /// DeepSeek's name for what came from the cache.
    #[serde(default)]
    prompt_cache_hit_tokens: Count,
    /// OpenRouter's charge.
    #[serde(default)]
    cost: Dollars,
    /// xAI's charge, in tenths of a nano-USD.
    #[serde(default)]
    cost_in_usd_ticks: Count,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct InputDetails {
    #[serde(default)]
    cached_tokens: Count,
    #[serde(default)]
    cache_write_tokens: Count,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct OutputDetails {
    #[serde(default)]
    reasoning_tokens: Count,
}

impl Object for Answer {}
impl Object for Inner {}
impl Object for Extension {}
impl Object for Usage {}
impl Object for InputDetails {}
impl Object for OutputDetails {}

impl Answer {
    fn into_metered(self, output: OutputTokens) -> Metered {
        let inner = self.response.0.unwrap_or_default();
        let usage = self.usage.0.or(inner.usage.0).or_else(|| self.x_groq.0.and_then(|extension| extension.usage.0));
        Metered {
            model: self.model.0.or(inner.model.0),
            tokens: usage.map(|usage| usage.tokens(output)).unwrap_or_default(),
            cost_nano_usd: usage.and_then(Usage::cost_nano_usd),
        }
    }
}

impl Usage {
    fn cost_nano_usd(self) -> Option<NanoUsd> {
        self.cost.0.or_else(|| Some(self.cost_in_usd_ticks.0?.checked_add(5)? / 10))
    }

    fn tokens(self, output: OutputTokens) -> TokenCounts {
        let input = self.prompt_tokens.0.or(self.input_tokens.0);
        let input_details = self.prompt_tokens_details.0.or(self.input_tokens_details.0);
        let output_details = self.completion_tokens_details.0.or(self.output_tokens_details.0);
        let cached = input_details.and_then(|details| details.cached_tokens.0);
        let beyond_prompt = || self.total_tokens.0?.checked_sub(input?).filter(|count| *count >= 0);
        TokenCounts {
            input,
            cached_input: cached.or(self.prompt_cache_hit_tokens.0),
            cache_write: input_details.and_then(|details| details.cache_write_tokens.0),
            cache_write_1h: None,
            output: match output {
                OutputTokens::Completion => self.completion_tokens.0.or(self.output_tokens.0),
                OutputTokens::TotalMinusPrompt => beyond_prompt(),
            },
            reasoning: output_details.and_then(|details| details.reasoning_tokens.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(
        input: Option<i64>,
        cached_input: Option<i64>,
        output: Option<i64>,
        reasoning: Option<i64>,
    ) -> TokenCounts {
        TokenCounts { input, cached_input, output, reasoning, ..TokenCounts::default() }
    }

    #[test]
    fn usage_is_read_in_every_shape_and_unknown_stays_unknown() {
        for (json, expected) in [
            (r#"{"usage":{"prompt_tokens":5,"completion_tokens":7}}"#, counts(Some(5), None, Some(7), None)),
            (
                r#"{"usage":{"input_tokens":5,"output_tokens":7,"input_tokens_details":{"cached_tokens":2},"output_tokens_details":{"reasoning_tokens":3}}}"#,
                counts(Some(5), Some(2), Some(7), Some(3)),
            ),
            (
                r#"{"usage":{"prompt_tokens":5,"input_tokens":5,"completion_tokens":7,"output_tokens":7}}"#,
                counts(Some(5), None, Some(7), None),
            ),
            (
                r#"{"usage":{"prompt_tokens":5,"completion_tokens":7,"prompt_cache_hit_tokens":4}}"#,
                counts(Some(5), Some(4), Some(7), None),
            ),
            (
                r#"{"usage":{"prompt_tokens":-5,"completion_tokens":7.5,"prompt_tokens_details":null}}"#,
                counts(None, None, None, None),
            ),
            (
                r#"{"usage":{"prompt_tokens":"5","completion_tokens":[1,{"a":2}],"total_tokens":{"x":1}}}"#,
                counts(None, None, None, None),
            ),
            (
                r#"{"usage":{"prompt_tokens":18446744073709551615,"completion_tokens":1}}"#,
                counts(None, None, Some(1), None),
            ),
            (r#"{"usage":null}"#, TokenCounts::default()),
            (r#"{"choices":[{"message":{"content":"{\"usage\":{\"prompt_tokens\":9}}"}}]}"#, TokenCounts::default()),
            ("<html>", TokenCounts::default()),
            ("", TokenCounts::default()),
            (r#"{"usage":{"prompt_tokens":5"#, TokenCounts::default()),
        ] {
            assert_eq!(
                read_body(OutputTokens::Completion, "/v1/chat/completions", json.as_bytes()).tokens,
                expected,
                "{json}"
            );
        }
    }

    #[test]
    fn what_is_unreadable_in_one_field_costs_no_other() {
        let figures = r#""usage":{"prompt_tokens":5,"completion_tokens":7}"#;
        for other in [
            r#""model":7"#,
            r#""model":["m"]"#,
            r#""model":"m\u0000""#,
            r#""response":"text""#,
            r#""response":[{"usage":{}}]"#,
            r#""x_groq":true"#,
        ] {
            let json = format!("{{{other},{figures}}}");
            let expected = Metered { tokens: counts(Some(5), None, Some(7), None), ..Metered::default() };
            assert_eq!(read_body(OutputTokens::Completion, "/c", json.as_bytes()), expected, "{json}");
            assert_eq!(read_event(OutputTokens::Completion, json.as_bytes()), Some(expected), "{json}");
        }
        for usage in ["7", "[5,7]", r#""text""#, "true", r#"{"prompt_tokens_details":[1]}"#] {
            let json = format!(r#"{{"model":"m","usage":{usage}}}"#);
            let expected = Metered { model: Some("m".to_owned()), ..Metered::default() };
            assert_eq!(read_body(OutputTokens::Completion, "/c", json.as_bytes()), expected, "{json}");
        }
    }

    #[test]
    fn reasoning_apart_from_the_output_is_added_from_the_total() {
        let json = br#"{"usage":{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135}}"#;
        assert_eq!(read_body(OutputTokens::TotalMinusPrompt, "/c", json).tokens.output, Some(103));
        assert_eq!(
            read_body(OutputTokens::TotalMinusPrompt, "/c", br#"{"usage":{"prompt_tokens":3}}"#).tokens.output,
            None
        );
    }

    #[test]
    fn what_a_provider_says_it_charges_is_read_exactly() {
        for (usage, expected) in [
            (r#"{"prompt_tokens":1,"cost":0.00095}"#, Some(950_000)),
            (r#"{"prompt_tokens":1,"cost":1e-9}"#, Some(1)),
            (r#"{"prompt_tokens":1,"cost":"0.5"}"#, Some(500_000_000)),
            (r#"{"prompt_tokens":1,"cost":0}"#, Some(0)),
            (r#"{"prompt_tokens":1,"cost":-1}"#, None),
            (r#"{"prompt_tokens":1,"cost":{"usd":1}}"#, None),
            (r#"{"prompt_tokens":1,"cost":null}"#, None),
            (r#"{"prompt_tokens":1,"cost_in_usd_ticks":1234506}"#, Some(123_451)),
            (r#"{"prompt_tokens":1}"#, None),
        ] {
            let json = format!("{{\"usage\":{usage}}}");
            let metered = read_body(OutputTokens::Completion, "/c", json.as_bytes());
            assert_eq!((metered.cost_nano_usd, metered.tokens.input), (expected, Some(1)), "{usage}");
        }
    }

    #[test]
    fn embeddings_have_no_output_but_only_when_they_were_counted() {
        let json = br#"{"model":"e","usage":{"prompt_tokens":2,"total_tokens":2}}"#;
        let metered = read_body(OutputTokens::Completion, "/v1/embeddings", json);
        assert_eq!((metered.model.as_deref(), metered.tokens), (Some("e"), counts(Some(2), None, Some(0), None)));
        assert_eq!(read_body(OutputTokens::Completion, "/v1/embeddings", b"{}").tokens, TokenCounts::default());
    }

    #[test]
    fn only_events_with_figures_are_metered() {
        for data in [
            &br#"{"choices":[{"delta":{"content":"Hi"}}],"usage":null}"#[..],
            br#"{"choices":[{"delta":{"content":"\"usage\":{\"prompt_tokens\":1}"}}]}"#,
            br#"{"usage":{}}"#,
            br#"{"usage":{"prompt_tokens":1"#,
            br#"{"error":{"message":"x"}}"#,
            b"[DONE]",
            b"",
        ] {
            assert_eq!(read_event(OutputTokens::Completion, data), None, "{}", String::from_utf8_lossy(data));
        }
        for data in [
            &br#"{"model":"m","choices":[],"usage" : {"prompt_tokens":5,"completion_tokens":7}}"#[..],
            br#"{"model":"m","usage":null,"x_groq":{"id":"r","usage":{"prompt_tokens":5,"completion_tokens":7}}}"#,
            br#"{"type":"response.completed","response":{"model":"m","usage":{"input_tokens":5,"output_tokens":7}}}"#,
        ] {
            let tokens = counts(Some(5), None, Some(7), None);
            let expected = Metered { model: Some("m".to_owned()), tokens, cost_nano_usd: None };
            assert_eq!(read_event(OutputTokens::Completion, data), Some(expected), "{}", String::from_utf8_lossy(data));
        }
    }
}
