//! Fields of a body that bound the use and cost of its call: lengths of output, and terms of the price. Reads only the
//! body's own fields, never the content of its texts.
//!
//! A length must never be taken from a field that the path's own shape does not have: its provider reads past it.

use std::borrow::Cow;

use keyway_domain::PriceTerms;
use keyway_providers::scan;
use memchr::memmem;
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::Value;

use crate::refusal::shape::Shape;

/// Assumed number of tool uses in one answer.
pub(super) const MAX_TOOL_USES: i64 = 10;
/// Tools that providers charge beside tokens, by their names in bodies and answers. Web searches are counted apart.
const CHARGED: [&str; 3] = ["code_interpreter", "file_search", "image_generation"];
const GOOGLE_MAPS: &str = "google_maps";
/// Other traces of such a tool: Google's names, and an escaped character.
const TRACES: [&[u8]; 3] = [b"googleMaps", b"google_maps", b"\\u"];
/// Values that ask for no special terms.
const ORDINARY: [&str; 8] =
    ["auto", "default", "global", "not_available", "on_demand", "standard", "standard_only", "unspecified"];

/// Fields that bound lengths, by the shape of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lengths {
    Chat,
    Completions,
    Responses,
    /// Anthropic's and Cohere's.
    Messages,
    Google,
    Converse,
    /// None that anybody knows.
    Unknown,
}

/// Bounds that the body asks for; of a repeated field, all values together.
#[derive(Default)]
pub(super) struct Asked {
    /// Longest output in tokens.
    pub(super) output: Option<i64>,
    /// Number of alternative answers.
    pub(super) choices: Option<i64>,
    /// Number of prompts, if the body has a list of them.
    pub(super) prompts: Option<i64>,
    /// Special terms; an unreadable one has no price.
    pub(super) terms: PriceTerms,
}

#[derive(Deserialize)]
struct Generation {
    #[serde(alias = "max_output_tokens", rename = "maxOutputTokens")]
    max_output_tokens: Option<Value>,
    #[serde(alias = "candidate_count", rename = "candidateCount")]
    candidate_count: Option<Value>,
}

#[derive(Deserialize)]
struct Inference {
    #[serde(rename = "maxTokens")]
    max_tokens: Option<Value>,
}

#[derive(Deserialize)]
struct Tool<'b> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'b, str>>,
    #[serde(alias = "google_maps", rename = "googleMaps")]
    google_maps: Option<IgnoredAny>,
}

impl Asked {
    /// Reads the body of a call of `path`. A body of another form sets no lengths; the model's own bounds count.
    pub(super) fn read(path: &str, body: &[u8]) -> Self {
        let (mut asked, lengths) = (Self::default(), Lengths::of(path));
        let mut is_clear = true;
        let read = scan::fields(body, |name, value| {
            is_clear &= asked.see(lengths, name, &body[value]).is_some();
            Ok(())
        });
        if read.is_err() || !is_clear {
            asked.output = None;
        }
        asked
    }

    /// Reads one field. `None`: a length that cannot be read.
    fn see(&mut self, lengths: Lengths, name: &[u8], value: &[u8]) -> Option<()> {
        let (mut output, mut choices) = (None, None);
        match (lengths, name) {
            (Lengths::Chat, b"max_tokens" | b"max_completion_tokens")
            | (Lengths::Completions | Lengths::Messages, b"max_tokens")
            | (Lengths::Responses, b"max_output_tokens") => output = parsed::<Option<Value>>(value)?,
            (Lengths::Chat, b"n") | (Lengths::Completions, b"n" | b"best_of") => {
                choices = parsed::<Option<Value>>(value)?;
            }
            (Lengths::Completions, b"prompt") => self.see_prompts(value),
            (Lengths::Google, b"generationConfig" | b"generation_config") => {
                if let Some(asked) = parsed::<Option<Generation>>(value)? {
                    (output, choices) = (asked.max_output_tokens, asked.candidate_count);
                }
            }
            (Lengths::Converse, b"inferenceConfig") => {
                output = parsed::<Option<Inference>>(value)?.and_then(|asked| asked.max_tokens);
            }
            (_, b"service_tier" | b"serviceTier") => add(&mut self.terms.service_tier, value),
            (_, b"speed") => add(&mut self.terms.speed, value),
            (_, b"inference_geo") => add(&mut self.terms.region, value),
            (_, b"tools") => self.see_tools(value),
            _ => {}
        }
        let (output, choices) = (output.as_ref().map(figure), choices.as_ref().map(figure));
        self.choices = self.choices.max(choices.flatten());
        match output {
            // None is what providers make of nothing and less: as long as the model gives.
            Some(output) => self.output = self.output.max(Some(output.filter(|length| *length > 0)?)),
            None if choices == Some(None) => return None,
            None => {}
        }
        Some(())
    }

    /// Counts the prompts of a list. A list of numbers is one prompt, as its tokens.
    fn see_prompts(&mut self, value: &[u8]) {
        let first = value.strip_prefix(b"[").map(<[u8]>::trim_ascii_start).and_then(<[u8]>::first);
        if matches!(first, Some(b'"' | b'[')) {
            let count = parsed::<Vec<IgnoredAny>>(value).map_or(0, |prompts| prompts.len());
            self.prompts = self.prompts.max(i64::try_from(count).ok());
        }
    }

    fn see_tools(&mut self, value: &[u8]) {
        // Most tools are functions of the caller's, and long: they are not parsed for nothing.
        let is_there = |word: &[u8]| memmem::find(value, word).is_some();
        if !CHARGED.iter().any(|name| is_there(name.as_bytes())) && !TRACES.iter().any(|word| is_there(word)) {
            return;
        }
        let tools: Vec<Tool<'_>> = serde_json::from_slice(value).unwrap_or_default();
        for tool in tools {
            let kind = CHARGED.into_iter().find(|name| tool.kind.as_deref() == Some(name));
            for name in kind.into_iter().chain(tool.google_maps.map(|_| GOOGLE_MAPS)) {
                self.terms.tools.insert(name.to_owned(), MAX_TOOL_USES);
            }
        }
    }
}

impl Lengths {
    fn of(path: &str) -> Self {
        let path = path.trim_end_matches('/');
        match Shape::of(path) {
            Shape::Google => Self::Google,
            Shape::Anthropic | Shape::Cohere => Self::Messages,
            Shape::Responses => Self::Responses,
            Shape::OpenAi if path.ends_with("/chat/completions") => Self::Chat,
            Shape::OpenAi if path.ends_with("/completions") => Self::Completions,
            Shape::OpenAi if path.ends_with("/converse") || path.ends_with("/converse-stream") => Self::Converse,
            Shape::OpenAi => Self::Unknown,
        }
    }
}

/// Returns a whole number as lenient providers read one: also from a fraction or a text.
fn figure(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| ceiling(number.as_f64()?)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Returns the next whole number, if it is small enough to be a length.
fn ceiling(number: f64) -> Option<i64> {
    // A text of it has no fraction.
    (number.abs() < 1e15).then(|| format!("{:.0}", number.ceil()).parse().ok()).flatten()
}

fn parsed<T: DeserializeOwned>(value: &[u8]) -> Option<T> {
    serde_json::from_slice(value).ok()
}

/// Adds a term unless it is ordinary. Two different values have no price.
fn add(term: &mut Option<String>, value: &[u8]) {
    let asked = match serde_json::from_slice(value) {
        Ok(Value::Null) => return,
        Ok(Value::String(text)) => text.to_ascii_lowercase(),
        _ => String::from_utf8_lossy(value).into_owned(),
    };
    if ORDINARY.contains(&asked.as_str()) {
        return;
    }
    match term {
        Some(before) if *before != asked => *before = format!("{before} {asked}"),
        _ => *term = Some(asked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: &str = "/v1/chat/completions";

    fn tier(body: &str) -> Option<String> {
        Asked::read(CHAT, body.as_bytes()).terms.service_tier
    }

    #[test]
    fn a_special_term_is_seen_however_it_is_written_and_an_ordinary_one_is_none() {
        for (body, expected) in [
            ("{}", None),
            ("no json", None),
            (r#"{"service_tier":"priority"}"#, Some("priority")),
            (r#"{"serviceTier":"FLEX"}"#, Some("flex")),
            (r#"{"service\u005ftier":"pr\u0069ority"}"#, Some("priority")),
            (r#"{"service_tier":"auto"}"#, None),
            (r#"{"service_tier":"standard_only"}"#, None),
            (r#"{"service_tier":null}"#, None),
            (r#"{"service_tier":7}"#, Some("7")),
            (r#"{"service_tier":"auto","service_tier":"priority"}"#, Some("priority")),
            (r#"{"service_tier":"flex","service_tier":"priority"}"#, Some("flex priority")),
            (r#"{"max_tokens":"x","service_tier":"priority"}"#, Some("priority")),
            (r#"{"messages":[{"service_tier":"priority"}]}"#, None),
            (r#"{"messages":[{"content":"{\"service_tier\":\"priority\"}"}]}"#, None),
        ] {
            assert_eq!(tier(body).as_deref(), expected, "{body}");
        }
        let terms = Asked::read(CHAT, br#"{"speed":"fast","inference_geo":"us"}"#).terms;
        assert_eq!((terms.speed.as_deref(), terms.region.as_deref()), (Some("fast"), Some("us")));
        assert!(Asked::read(CHAT, br#"{"speed":"standard","inference_geo":"global"}"#).terms.is_ordinary());
    }

    #[test]
    fn a_tool_that_is_charged_is_counted_and_a_function_of_its_name_is_not() {
        let used = |tools: &str| Asked::read(CHAT, format!(r#"{{"tools":{tools}}}"#).as_bytes()).terms.tools;
        assert_eq!(used(r#"[{"type":"file_search"},{"type":"function"}]"#), [("file_search".to_owned(), 10)].into());
        assert_eq!(used(r#"[{"googleMaps":{}},{"type":"file_se\u0061rch"}]"#).len(), 2);
        for escaped in
            [r#"[{"type":"file_se\u0061rch"}]"#, r#"[{"ty\u0070e":"file_search"}]"#, r#"[{"google_maps":{}}]"#]
        {
            assert_eq!(used(escaped).len(), 1, "{escaped}");
        }
        for tools in [r#"[{"type":"function","function":{"name":"file_search"}}]"#, "[]", "null", "{}", "[1]"] {
            assert!(used(tools).is_empty(), "{tools}");
        }
    }

    #[test]
    fn of_lengths_that_are_there_more_than_once_the_longest_counts() {
        for (body, expected) in [
            (r#"{"max_tokens":7,"max_completion_tokens":9,"n":3}"#, (Some(9), Some(3))),
            (r#"{"max_tokens":2,"max_tokens":1}"#, (Some(2), None)),
            (r#"{"max_tokens":-5}"#, (None, None)),
            (r#"{"max_tokens":0}"#, (None, None)),
            (r#"{"max_tokens":0,"max_completion_tokens":9}"#, (None, None)),
            (r#"{"max_tokens":"7","n":"3"}"#, (Some(7), Some(3))),
            (r#"{"max_tokens":6.5,"n":2.0}"#, (Some(7), Some(2))),
            (r#"{"max_tokens":1e30,"n":2}"#, (None, Some(2))),
            (r#"{"max_tokens":[7],"n":3}"#, (None, Some(3))),
            (r#"{"max_tokens":7,"n":"x"}"#, (None, None)),
            (r#"{"max_tokens":7,"n":null}"#, (Some(7), None)),
            (r#"{"max_tokens":null}"#, (None, None)),
        ] {
            let asked = Asked::read(CHAT, body.as_bytes());
            assert_eq!((asked.output, asked.choices), expected, "{body}");
        }
        let google = r#"{"generation_config":{"max_output_tokens":5,"candidateCount":2},"generationConfig":null}"#;
        let asked = Asked::read("/v1beta/models/g:generateContent", google.as_bytes());
        assert_eq!((asked.output, asked.choices), (Some(5), Some(2)));
    }

    #[test]
    fn a_list_of_prompts_is_as_many_answers_and_one_of_tokens_is_one() {
        for (prompt, expected) in
            [(r#"["a","b"]"#, Some(2)), ("[[1,2],[3]]", Some(2)), ("[1,2,3]", None), (r#""a""#, None), ("[]", None)]
        {
            let body = format!(r#"{{"prompt":{prompt}}}"#);
            assert_eq!(Asked::read("/v1/completions", body.as_bytes()).prompts, expected, "{prompt}");
            assert_eq!(Asked::read(CHAT, body.as_bytes()).prompts, None, "{prompt}");
        }
    }
}
