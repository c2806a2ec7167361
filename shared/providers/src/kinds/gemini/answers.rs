//! Reads model and tokens from answers in Gemini's own shape: one answer, the events of a stream, or
//! a stream that came as one JSON array. Figures of a stream are cumulative: the last ones count.

use keyway_domain::TokenCounts;
use memchr::memmem;
use serde::Deserialize;

use crate::{
    Metered,
    lenient::{Count, List, Maybe, Object, Text},
    metering,
};

/// The field that holds the figures.
pub(crate) const FIGURES: &str = "usageMetadata";

/// Reads a whole answer to a call of `path`; everything is unknown if it is not one.
pub(crate) fn body(path: &str, bytes: &[u8]) -> Metered {
    if path.ends_with(":countTokens") {
        return counting(bytes);
    }
    let mut metered = if bytes.trim_ascii_start().starts_with(b"[") {
        let chunks: Vec<Maybe<Answer>> = serde_json::from_slice(bytes).unwrap_or_default();
        chunks.into_iter().rev().filter_map(|chunk| chunk.0).map(Answer::into_metered).find(has_figures)
    } else {
        // The end of an array that was too long to be kept is followed by its bracket.
        let first = serde_json::Deserializer::from_slice(bytes).into_iter::<Maybe<Answer>>().next();
        first.and_then(Result::ok).and_then(|answer| answer.0).map(Answer::into_metered)
    }
    .unwrap_or_default();
    if is_embedding(path) && metered.tokens.input.is_some() {
        // The shape of embeddings has no output count because there is no output to count.
        metered.tokens.output = Some(0);
    }
    metered
}

/// Reads the data of one event. Only events with figures are parsed at all.
pub(crate) fn event(data: &[u8]) -> Option<Metered> {
    memmem::find(data, b"\"usageMetadata\"")?;
    let answer: Maybe<Answer> = serde_json::from_slice(data).ok()?;
    Some(answer.0?.into_metered()).filter(has_figures)
}

/// The model in the message that opens a live session.
pub(crate) fn session_model(message: &[u8]) -> Option<String> {
    let opening: Maybe<Opening> = serde_json::from_slice(message).ok()?;
    let model = opening.0?.setup.0?.model.0?;
    Some(model.strip_prefix("models/").unwrap_or(&model).to_owned())
}

/// Counting tokens uses none and is free of charge.
fn counting(bytes: &[u8]) -> Metered {
    let counted: Maybe<Counted> = serde_json::from_slice(bytes).unwrap_or_default();
    if counted.0.and_then(|counted| counted.total_tokens.0).is_none() {
        return Metered::default();
    }
    let tokens = TokenCounts { input: Some(0), output: Some(0), ..TokenCounts::default() };
    Metered { tokens, cost_nano_usd: Some(0), ..Metered::default() }
}

fn is_embedding(path: &str) -> bool {
    path.ends_with(":embedContent") || path.ends_with(":batchEmbedContents")
}

fn has_figures(metered: &Metered) -> bool {
    metered.tokens != TokenCounts::default()
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(default)]
    model_version: Text,
    #[serde(default)]
    usage_metadata: Maybe<Figures>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Figures {
    /// Includes what came from the cache.
    #[serde(default)]
    prompt_token_count: Count,
    #[serde(default)]
    cached_content_token_count: Count,
    /// Not part of the prompt's count: what tools put into the context.
    #[serde(default)]
    tool_use_prompt_token_count: Count,
    /// Without thoughts. Live sessions call what is answered a response.
    #[serde(default, alias = "responseTokenCount")]
    candidates_token_count: Count,
    #[serde(default)]
    thoughts_token_count: Count,
    #[serde(default)]
    total_token_count: Count,
    #[serde(default)]
    prompt_tokens_details: Maybe<List<Share>>,
    #[serde(default, alias = "responseTokensDetails")]
    candidates_tokens_details: Maybe<List<Share>>,
}

/// How many of the tokens are text, sound, pictures and so on.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Share {
    #[serde(default)]
    modality: Text,
    #[serde(default)]
    token_count: Option<Count>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Counted {
    #[serde(default)]
    total_tokens: Count,
}

#[derive(Default, Deserialize)]
struct Opening {
    #[serde(default)]
    setup: Maybe<Setup>,
}

#[derive(Default, Deserialize)]
struct Setup {
    #[serde(default)]
    model: Text,
}

impl Object for Opening {}
impl Object for Setup {}
impl Object for Answer {}
impl Object for Figures {}
impl Object for Counted {}
impl Object for Share {}

impl Answer {
    fn into_metered(self) -> Metered {
        let tokens = self.usage_metadata.0.map(Figures::tokens).unwrap_or_default();
        Metered { model: self.model_version.0, tokens, cost_nano_usd: None }
    }
}

impl Figures {
    fn tokens(self) -> TokenCounts {
        let tools = self.tool_use_prompt_token_count.0.unwrap_or(0);
        let input = self.prompt_token_count.0.and_then(|prompt| prompt.checked_add(tools));
        let thoughts = self.thoughts_token_count.0;
        // A count of 0 is left out, so that only the total tells "none" from "not said".
        let beyond_input = || self.total_token_count.0?.checked_sub(input?).filter(|count| *count >= 0);
        let output = match self.candidates_token_count.0 {
            Some(count) => count.checked_add(thoughts.unwrap_or(0)),
            None => beyond_input(),
        };
        let (heard, spoken) = (audio(self.prompt_tokens_details), audio(self.candidates_tokens_details));
        TokenCounts {
            input: input.filter(|_| metering::is_readable(heard)),
            cached_input: self.cached_content_token_count.0,
            output: output.filter(|_| metering::is_readable(spoken)),
            reasoning: thoughts,
            audio_input: heard.and_then(|count| count.0),
            audio_output: spoken.and_then(|count| count.0),
            ..TokenCounts::default()
        }
    }
}

/// Those of the tokens that are sound. A count of 0 is left out.
fn audio(shares: Maybe<List<Share>>) -> Option<Count> {
    let share = shares.0?.0.into_iter().find(|share| share.modality.0.as_deref() == Some("AUDIO"))?;
    Some(share.token_count.unwrap_or(Maybe(Some(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: &str = "/v1beta/models/gemini-2.5-flash:generateContent";

    fn tokens(figures: &str) -> [Option<i64>; 4] {
        let json = format!("{{\"usageMetadata\":{figures},\"modelVersion\":\"m\"}}");
        let metered = body(CHAT, json.as_bytes());
        assert_eq!(metered.model.as_deref(), Some("m"), "{figures}");
        [metered.tokens.input, metered.tokens.cached_input, metered.tokens.output, metered.tokens.reasoning]
    }

    #[test]
    fn figures_add_up_and_unknown_stays_unknown() {
        for (figures, expected) in [
            (r#"{"promptTokenCount":8,"candidatesTokenCount":4}"#, [Some(8), None, Some(4), None]),
            (
                r#"{"promptTokenCount":8,"cachedContentTokenCount":6,"candidatesTokenCount":4,"thoughtsTokenCount":3}"#,
                [Some(8), Some(6), Some(7), Some(3)],
            ),
            (
                r#"{"promptTokenCount":8,"toolUsePromptTokenCount":100,"candidatesTokenCount":4,"totalTokenCount":112}"#,
                [Some(108), None, Some(4), None],
            ),
            // Nothing but thoughts, or nothing at all: the total says so.
            (
                r#"{"promptTokenCount":8,"thoughtsTokenCount":3,"totalTokenCount":11}"#,
                [Some(8), None, Some(3), Some(3)],
            ),
            (r#"{"promptTokenCount":8,"totalTokenCount":8}"#, [Some(8), None, Some(0), None]),
            (r#"{"promptTokenCount":8}"#, [Some(8), None, None, None]),
            (r#"{"promptTokenCount":8,"totalTokenCount":7}"#, [Some(8), None, None, None]),
            (r#"{"promptTokenCount":"8","candidatesTokenCount":-4}"#, [None; 4]),
            ("[7]", [None; 4]),
            ("null", [None; 4]),
        ] {
            assert_eq!(tokens(figures), expected, "{figures}");
        }
    }

    #[test]
    fn sound_is_counted_apart() {
        let json = |count: &str| {
            format!(
                r#"{{"usageMetadata":{{"promptTokenCount":40,"candidatesTokenCount":9,"promptTokensDetails":
                [{{"modality":"TEXT","tokenCount":8}},{{"modality":"AUDIO","tokenCount":{count}}}],
                "candidatesTokensDetails":[{{"modality":"AUDIO"}}]}}}}"#
            )
        };
        for (count, input, audio_input) in [("32", Some(40), Some(32)), ("\"32\"", None, None)] {
            let tokens = body(CHAT, json(count).as_bytes()).tokens;
            assert_eq!((tokens.input, tokens.audio_input), (input, audio_input), "{count}");
            assert_eq!((tokens.output, tokens.audio_output), (Some(9), Some(0)), "{count}");
        }
    }

    #[test]
    fn embeddings_have_no_output_and_counting_costs_nothing() {
        let figures = br#"{"embedding":{"values":[0.1]},"usageMetadata":{"promptTokenCount":5}}"#;
        for path in ["/v1/models/e:embedContent", "/v1/models/e:batchEmbedContents"] {
            let tokens = body(path, figures).tokens;
            assert_eq!((tokens.input, tokens.output), (Some(5), Some(0)), "{path}");
            assert_eq!(body(path, br#"{"embeddings":[{"values":[0.1]}]}"#), Metered::default(), "{path}");
        }
        let counted = body("/v1/models/m:countTokens", br#"{"totalTokens":31}"#);
        assert_eq!((counted.tokens.input, counted.tokens.output, counted.cost_nano_usd), (Some(0), Some(0), Some(0)));
        assert_eq!(body("/v1/models/m:countTokens", b"{}"), Metered::default());
    }

    #[test]
    fn the_end_of_a_long_array_is_read_like_an_answer() {
        let end = br#"{"usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 2}, "modelVersion": "m"}
]"#;
        let metered = body(CHAT, end);
        assert_eq!((metered.model.as_deref(), metered.tokens.output), (Some("m"), Some(2)));
        for broken in [&b"[{\"usageMetadata\":{"[..], b"[]", b"[1,null]", b"", b"<html>"] {
            assert_eq!(body(CHAT, broken), Metered::default());
        }
    }

    #[test]
    fn a_live_session_names_its_model_first_and_calls_its_answers_responses() {
        for (message, model) in [
            (r#"{"setup":{"model":"models/gemini-live","generationConfig":{}}}"#, Some("gemini-live")),
            (r#"{"setup":{"model":"gemini-live"}}"#, Some("gemini-live")),
            (r#"{"setup":{"model":7}}"#, None),
            (r#"{"setup":[]}"#, None),
            (r#"{"clientContent":{"turns":[]}}"#, None),
            ("{", None),
        ] {
            assert_eq!(session_model(message.as_bytes()).as_deref(), model, "{message}");
        }
        let last =
            br#"{"serverContent":{"turnComplete":true},"usageMetadata":{"promptTokenCount":4,"responseTokenCount":9,
            "totalTokenCount":13,"responseTokensDetails":[{"modality":"AUDIO","tokenCount":7}]}}"#;
        let tokens = event(last).unwrap_or_default().tokens;
        assert_eq!((tokens.input, tokens.output, tokens.audio_output), (Some(4), Some(9), Some(7)));
    }

    #[test]
    fn only_events_with_figures_are_read() {
        let text = br#"{"candidates":[{"content":{"parts":[{"text":"\"usageMetadata\":{\"promptTokenCount\":9}"}]}}]}"#;
        for data in [&text[..], br#"{"usageMetadata":{}}"#, br#"{"usageMetadata":{"promptTokenCount":1"#, b""] {
            assert_eq!(event(data), None, "{}", String::from_utf8_lossy(data));
        }
        let last = br#"{"usageMetadata" : {"promptTokenCount":4,"candidatesTokenCount":2},"modelVersion":"m"}"#;
        assert_eq!(event(last).and_then(|metered| metered.tokens.output), Some(2));
    }
}
