//! Upper bounds of a call's use, before it is made: tokens from its body and its model's bounds, money from those and
//! the terms it asks for, by the catalog's prices.
//!
//! A text has no more tokens than bytes. If a body points to content outside it, or was not read, its input is assumed
//! to be the model's maximum.

use http::{HeaderMap, Method, header};
use keyway_domain::{NanoUsd, PriceTerms, Timestamp};
use keyway_providers::{Model, ModelMode, ProviderSpec};
use memchr::memchr_iter;

use super::asked::{Asked, MAX_TOOL_USES};

/// Assumed input and output limits of a model without known ones.
const DEFAULT_INPUT_TOKENS: i64 = 128_000;
const DEFAULT_OUTPUT_TOKENS: i64 = 16_384;

/// Last segments of paths whose calls are free, whatever they carry.
const FREE: [&str; 8] =
    ["cancel", "count_tokens", "countTokens", "detokenize", "files", "input_tokens", "moderations", "tokenize"];
/// Last segments of paths whose calls cost what their tokens cost. The cost of any other call is unknown before it is
/// made: batches, fine-tuning, images, speech.
const PRICED: [&str; 14] = [
    "batchEmbedContents",
    "chat",
    "completions",
    "embed",
    "embedContent",
    "embeddings",
    "generateContent",
    "messages",
    "responses",
    "streamGenerateContent",
    "converse",
    "converse-stream",
    "invoke",
    "invoke-with-response-stream",
];
/// Names, behind their opening quote, of fields that add content outside the text: its tokens are not bounded by its
/// bytes.
const BEYOND_TEXT: [&[u8]; 23] = [
    b"cachedContent\"",
    b"code_interpreter\"",
    b"container\"",
    b"conversation\"",
    b"document\"",
    b"file\"",
    b"fileData\"",
    b"file_data\"",
    b"file_id\"",
    b"file_search\"",
    b"googleMaps\"",
    b"googleSearch\"",
    b"google_maps\"",
    b"google_search\"",
    b"image\"",
    b"image_url\"",
    b"images\"",
    b"inlineData\"",
    b"inline_data\"",
    b"input_audio\"",
    b"previous_response_id\"",
    b"urlContext\"",
    b"web_search",
];
/// Table of their first bytes: most words of a body are skipped by it.
static BEGINS: [bool; 256] = {
    let (mut begins, mut at) = ([false; 256], 0);
    while at < BEYOND_TEXT.len() {
        begins[BEYOND_TEXT[at][0] as usize] = true;
        at += 1;
    }
    begins
};
/// Names that let the provider search the web, which some charge beside tokens.
const SEARCHES: [&[u8]; 3] = [b"googleSearch\"", b"google_search\"", b"web_search"];
/// Facts about a call before a provider is asked.
pub(crate) struct Demand {
    price: Priced,
    /// Upper bound of its input in tokens; `None`: the model's maximum.
    input: Option<i64>,
    output: Option<i64>,
    choices: i64,
    searches: i64,
    terms: PriceTerms,
    /// Time that selects its price.
    pub(crate) began_at: Timestamp,
}

/// Upper bound of a call's use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) tokens: i64,
    /// Cost in nano-USD; `None`: its price is unknown.
    pub(crate) cost: Option<NanoUsd>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Priced {
    Free,
    ByTokens,
    Embedding,
    Unknown,
}

impl Demand {
    /// Reads the demand of a call of `path`; `body` is as much of it as was read.
    pub(crate) fn of(method: &Method, headers: &HeaderMap, path: &str, body: Option<&[u8]>) -> Self {
        let (price, began_at) = (Priced::of(method, headers, path), Timestamp::now());
        if price == Priced::Free {
            let (input, output, terms) = (Some(0), Some(0), PriceTerms::default());
            return Self { price, input, output, choices: 1, searches: 0, terms, began_at };
        }
        let beyond: Vec<_> = body.map(|body| names(body, &BEYOND_TEXT).collect()).unwrap_or_default();
        let input = body.filter(|_| beyond.is_empty()).map(|body| int(body.len()));
        let searches = if beyond.iter().any(|name| SEARCHES.contains(name)) { MAX_TOOL_USES } else { 0 };
        let Asked { output, choices, prompts, terms } = body.map(|body| Asked::read(path, body)).unwrap_or_default();
        let several = |count: Option<i64>| count.unwrap_or(1).clamp(1, 1 << 20);
        let choices = several(choices) * several(prompts);
        Self { price, input, output, choices, searches, terms, began_at }
    }

    /// Returns the upper bound if this model of this provider serves the call.
    pub(crate) fn at(&self, spec: &ProviderSpec, model: Option<&str>) -> Bound {
        if self.price == Priced::Free {
            return Bound { tokens: 0, cost: Some(0) };
        }
        let model = spec.priced_model(None, model);
        let (input, output) = (self.input(model), self.output(model));
        let price = model.and_then(|model| model.price.as_ref()).filter(|_| self.price != Priced::Unknown);
        let cost = price.and_then(|price| price.bound(input, output, self.searches, &self.terms, self.began_at));
        Bound { tokens: input.saturating_add(output), cost }
    }

    fn input(&self, model: Option<&Model>) -> i64 {
        let taken = model.and_then(|model| model.max_input_tokens);
        match (self.input, taken) {
            (Some(input), Some(taken)) => input.min(taken),
            (input, taken) => input.or(taken).unwrap_or(DEFAULT_INPUT_TOKENS),
        }
    }

    fn output(&self, model: Option<&Model>) -> i64 {
        if self.price == Priced::Embedding || model.is_some_and(|model| model.mode != ModelMode::Chat) {
            return 0;
        }
        let given = model.and_then(|model| model.max_output_tokens);
        let output = match (self.output, given) {
            (Some(output), Some(given)) => output.min(given),
            (output, given) => output.or(given).unwrap_or(DEFAULT_OUTPUT_TOKENS),
        };
        output.saturating_mul(self.choices)
    }
}

impl Priced {
    fn of(method: &Method, headers: &HeaderMap, path: &str) -> Self {
        // A connection that goes on as a WebSocket costs whatever is said on it.
        if headers.get(header::UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket")) {
            return Self::Unknown;
        }
        let path = path.trim_end_matches('/');
        let last = path.rsplit(['/', ':']).next().unwrap_or_default();
        let is_free = *method != Method::POST && *method != Method::PUT && *method != Method::PATCH
            || FREE.contains(&last)
            || path.contains("/uploads/")
            || last == "uploads";
        match last {
            _ if is_free => Self::Free,
            "embed" | "embeddings" | "embedContent" | "batchEmbedContents" => Self::Embedding,
            _ if PRICED.contains(&last) => Self::ByTokens,
            _ => Self::Unknown,
        }
    }
}

/// Returns those of `wanted` that stand behind a quote. Inside a text every quote is escaped, but a whole text may be
/// one.
fn names<'a>(body: &'a [u8], wanted: &'a [&'static [u8]]) -> impl Iterator<Item = &'static [u8]> + 'a {
    memchr_iter(b'"', body).filter_map(|at| {
        let word = body.get(at + 1..).filter(|word| word.first().is_some_and(|first| BEGINS[usize::from(*first)]))?;
        wanted.iter().find(|name| word.starts_with(name)).copied()
    })
}

fn int(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use keyway_providers::Catalog;

    use super::*;

    fn bound(path: &str, model: &str, body: &str) -> Bound {
        let catalog = Catalog::load(None).unwrap();
        let demand = Demand::of(&Method::POST, &HeaderMap::new(), path, Some(body.as_bytes()));
        demand.at(catalog.get("openai").unwrap(), Some(model))
    }

    #[test]
    fn a_call_is_bounded_by_its_bytes_and_by_what_it_asks_for() {
        // 0.15 and 0.60 US dollars for a million tokens; the model gives 16,384 and takes 128,000 at most.
        for (body, output) in [
            (r#"{"max_tokens":7}"#, 7),
            (r#"{"max_tokens":7,"max_completion_tokens":9,"n":3}"#, 27),
            (r#"{"max_output_tokens":5}"#, 16_384),
            (r#"{"generationConfig":{"maxOutputTokens":5,"candidateCount":2}}"#, 16_384),
            (r#"{"max_tokens":0}"#, 16_384),
            (r#"{"max_tokens":99999999}"#, 16_384),
            (r#"{"max_tokens":"x"}"#, 16_384),
            (r#"{"max_tokens":1,"max_tokens":2}"#, 2),
            ("no json", 16_384),
            (r#"{"max_tokens":1,"x":[{"type":"image_url"}]}"#, 1),
        ] {
            let input = if body.contains("image_url") { 128_000 } else { i64::try_from(body.len()).unwrap() };
            let expected = Bound { tokens: input + output, cost: Some(input * 150 + output * 600) };
            assert_eq!(bound("/v1/chat/completions", "gpt-4o-mini", body), expected, "{body}");
        }
    }

    #[test]
    fn only_the_fields_of_the_paths_own_shape_bound_its_output() {
        const FIELDS: [&str; 9] = [
            r#""max_tokens":N"#,
            r#""max_completion_tokens":N"#,
            r#""max_output_tokens":N"#,
            r#""maxOutputTokens":N"#,
            r#""generationConfig":{"maxOutputTokens":N}"#,
            r#""generation_config":{"max_output_tokens":N}"#,
            r#""inferenceConfig":{"maxTokens":N}"#,
            r#""options":{"num_predict":N}"#,
            r#""textGenerationConfig":{"maxTokenCount":N}"#,
        ];
        for (path, own) in [
            ("/v1/chat/completions", &FIELDS[..2]),
            ("/openai/deployments/d/chat/completions", &FIELDS[..2]),
            ("/v1/completions", &FIELDS[..1]),
            ("/v1/responses", &FIELDS[2..3]),
            ("/v1/messages", &FIELDS[..1]),
            ("/v2/chat", &FIELDS[..1]),
            ("/v1beta/models/gpt-4o-mini:generateContent", &FIELDS[4..6]),
            ("/v1beta/models/gpt-4o-mini:streamGenerateContent", &FIELDS[4..6]),
            ("/model/gpt-4o-mini/converse", &FIELDS[6..7]),
            ("/model/gpt-4o-mini/converse-stream", &FIELDS[6..7]),
            ("/model/gpt-4o-mini/invoke", &FIELDS[..0]),
            ("/api/chat", &FIELDS[..0]),
        ] {
            let output = |body: &str| bound(path, "gpt-4o-mini", body).tokens - int(body.len());
            for field in FIELDS {
                let (alone, is_own) = (field.replace('N', "7"), own.contains(&field));
                assert_eq!(output(&format!("{{{alone}}}")), if is_own { 7 } else { 16_384 }, "{path} {alone}");
                let Some(own) = own.first().filter(|_| !is_own) else { continue };
                for (figure, foreign) in [(9, 1), (1, 9)] {
                    let both = [own.replace('N', &figure.to_string()), field.replace('N', &foreign.to_string())];
                    assert_eq!(output(&format!("{{{}}}", both.join(","))), figure, "{path} {both:?}");
                }
                for nothing in ["0", "-1"] {
                    let none = format!("{{{},{alone}}}", own.replace('N', nothing));
                    assert_eq!(output(&none), 16_384, "{path} {none}");
                }
            }
        }
        let several = r#"{"prompt":["a","b","c"],"max_tokens":7,"n":2}"#;
        assert_eq!(bound("/v1/completions", "gpt-4o-mini", several).tokens, int(several.len()) + 42);
    }

    #[test]
    fn what_a_search_brings_in_is_bounded_by_the_model_alone() {
        let catalog = Catalog::load(None).unwrap();
        let taken = catalog.get("openai").unwrap().model("gpt-4o-mini").unwrap().max_input_tokens.unwrap();
        for tool in ["web_search", "web_search_preview", "web_search_20250305"] {
            let body = format!(r#"{{"max_output_tokens":1,"tools":[{{"type":"{tool}"}}]}}"#);
            assert_eq!(bound("/v1/responses", "gpt-4o-mini", &body).tokens, taken + 1, "{tool}");
        }
    }

    #[test]
    fn the_terms_that_a_body_asks_for_are_in_its_bound() {
        let input = |body: &str| i64::try_from(body.len()).unwrap();
        let long = format!("{{\"max_output_tokens\":1,\"x\":\"{}\"}}", "y".repeat(300_000));
        // Beyond 272,000 tokens of input: 50 US dollars for a million that are kept for twelve hours, 75 for output.
        assert_eq!(bound("/v1/responses", "gpt-6-astra", &long).cost, Some(input(&long) * 50_000 + 75_000));
        let plain = r#"{"max_output_tokens":1}"#;
        assert_eq!(bound("/v1/responses", "gpt-6-astra", plain).cost, Some(input(plain) * 25_000 + 50_000));
        let dear = r#"{"max_output_tokens":1,"service_tier":"priority"}"#;
        assert_eq!(bound("/v1/responses", "gpt-6-astra", dear).cost, Some(2 * (input(dear) * 25_000 + 50_000)));
        let cheap = r#"{"max_output_tokens":1,"service_tier":"flex"}"#;
        assert_eq!(bound("/v1/responses", "gpt-6-astra", cheap).cost, Some(input(cheap) * 25_000 + 50_000));
        for unknown in [
            r#"{"max_output_tokens":1,"service_tier":"golden"}"#,
            r#"{"max_output_tokens":1,"tools":[{"type":"image_generation"}]}"#,
        ] {
            assert_eq!(bound("/v1/responses", "gpt-6-astra", unknown).cost, None, "{unknown}");
        }
        let files = r#"{"max_output_tokens":1,"tools":[{"type":"file_search"}]}"#;
        let fees = 10 * 2_500_000;
        // What the tool finds is as long as the model takes.
        assert_eq!(bound("/v1/responses", "gpt-6-astra", files).cost, Some(922_000 * 50_000 + 75_000 + fees));
    }

    #[test]
    fn what_costs_nothing_or_nobody_knows_what_is_told_apart() {
        let free = Bound { tokens: 0, cost: Some(0) };
        for path in ["/v1/files", "/v1/uploads/u_1/parts", "/v1/messages/count_tokens", "/v1beta/models/g:countTokens"]
        {
            assert_eq!(bound(path, "gpt-4o-mini", "{}"), free, "{path}");
        }
        for path in ["/v1/batches", "/v1/fine_tuning/jobs", "/v1/images/generations", "/v1/threads/t/runs"] {
            assert_eq!(bound(path, "gpt-4o-mini", "{}").cost, None, "{path}");
        }
        assert_eq!(bound("/v1/chat/completions", "nobody-knows-it", "{}").cost, None);
        assert_eq!(bound("/v1/embeddings", "text-embedding-3-small", r#"{"input":"x"}"#).tokens, 13);
        let catalog = Catalog::load(None).unwrap();
        let spec = catalog.get("openai").unwrap();
        let at = |headers: &HeaderMap| Demand::of(&Method::GET, headers, "/v1/realtime", None).at(spec, None);
        let mut headers = HeaderMap::new();
        assert_eq!(at(&headers), free);
        headers.insert(header::UPGRADE, HeaderValue::from_static("WebSocket"));
        assert_eq!(at(&headers).cost, None);
    }

    #[test]
    fn an_unread_body_is_as_large_as_the_model_takes() {
        let catalog = Catalog::load(None).unwrap();
        let spec = catalog.get("openai").unwrap();
        let demand = Demand::of(&Method::POST, &HeaderMap::new(), "/v1/chat/completions", None);
        assert_eq!(demand.at(spec, Some("gpt-4o-mini")).tokens, 128_000 + 16_384);
        assert_eq!(demand.at(spec, None).tokens, DEFAULT_INPUT_TOKENS + DEFAULT_OUTPUT_TOKENS);
    }
}
