//! Fields of a body that bound the use and cost of its call: lengths of output, and terms of the price. Reads only the
//! body's own fields, never the content of its texts.

use std::borrow::Cow;

use keyway_domain::PriceTerms;
use keyway_providers::scan;
use memchr::memmem;
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::Value;

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

/// Bounds that the body asks for; of a repeated field, all values together.
#[derive(Default)]
pub(super) struct Asked {
    /// Longest output in tokens.
    pub(super) output: Option<i64>,
    /// Number of alternative answers.
    pub(super) choices: Option<i64>,
    /// Special terms; an unreadable one has no price.
    pub(super) terms: PriceTerms,
}

#[derive(Deserialize)]
struct Generation {
    #[serde(alias = "max_output_tokens", rename = "maxOutputTokens")]
    max_output_tokens: Option<i64>,
    #[serde(alias = "candidate_count", rename = "candidateCount")]
    candidate_count: Option<i64>,
}

#[derive(Deserialize)]
struct Tool<'b> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'b, str>>,
    #[serde(alias = "google_maps", rename = "googleMaps")]
    google_maps: Option<IgnoredAny>,
}

impl Asked {
    /// Reads a body. A body of another form sets no lengths; the model's own bounds count.
    pub(super) fn read(body: &[u8]) -> Self {
        let mut asked = Self::default();
        let mut is_clear = true;
        let read = scan::fields(body, |name, value| {
            is_clear &= asked.see(name, &body[value]).is_some();
            Ok(())
        });
        if read.is_err() || !is_clear {
            (asked.output, asked.choices) = (None, None);
        }
        asked
    }

    /// Reads one field. `None`: a length that cannot be read.
    fn see(&mut self, name: &[u8], value: &[u8]) -> Option<()> {
        let raise = |most: &mut Option<i64>, figure: Option<i64>| *most = (*most).max(figure.filter(|it| *it >= 0));
        match name {
            b"max_tokens" | b"max_completion_tokens" | b"max_output_tokens" => raise(&mut self.output, parsed(value)?),
            b"n" | b"best_of" => raise(&mut self.choices, parsed(value)?),
            b"generationConfig" | b"generation_config" => {
                if let Some(Generation { max_output_tokens, candidate_count }) = parsed::<Option<_>>(value)? {
                    raise(&mut self.output, max_output_tokens);
                    raise(&mut self.choices, candidate_count);
                }
            }
            b"service_tier" | b"serviceTier" => add(&mut self.terms.service_tier, value),
            b"speed" => add(&mut self.terms.speed, value),
            b"inference_geo" => add(&mut self.terms.region, value),
            b"tools" => self.see_tools(value),
            _ => {}
        }
        Some(())
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

    fn tier(body: &str) -> Option<String> {
        Asked::read(body.as_bytes()).terms.service_tier
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
        let terms = Asked::read(br#"{"speed":"fast","inference_geo":"us"}"#).terms;
        assert_eq!((terms.speed.as_deref(), terms.region.as_deref()), (Some("fast"), Some("us")));
        assert!(Asked::read(br#"{"speed":"standard","inference_geo":"global"}"#).terms.is_ordinary());
    }

    #[test]
    fn a_tool_that_is_charged_is_counted_and_a_function_of_its_name_is_not() {
        let used = |tools: &str| Asked::read(format!(r#"{{"tools":{tools}}}"#).as_bytes()).terms.tools;
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
            (r#"{"max_tokens":7,"n":"x"}"#, (None, None)),
            (r#"{"generation_config":{"max_output_tokens":5,"candidateCount":2}}"#, (Some(5), Some(2))),
            (r#"{"generationConfig":null,"max_tokens":null}"#, (None, None)),
        ] {
            let asked = Asked::read(body.as_bytes());
            assert_eq!((asked.output, asked.choices), expected, "{body}");
        }
    }
}
