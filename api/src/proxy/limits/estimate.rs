//! What a call can use at most, before it is made: tokens from its body and its model's bounds, money from
//! those and the model's highest prices.
//!
//! A text has no more tokens than bytes. Where a body points to content outside it, or was not read, its
//! input is taken to be all that the model accepts.

use http::{HeaderMap, Method, header};
use keyway_domain::NanoUsd;
use keyway_providers::{Model, ModelMode, Price, ProviderSpec, Rates, scan};
use memchr::memchr_iter;
use serde::Deserialize;

/// What a model that nobody described takes and gives at most.
const DEFAULT_INPUT_TOKENS: i64 = 128_000;
const DEFAULT_OUTPUT_TOKENS: i64 = 16_384;

/// The last words of paths whose calls cost nothing, whatever they carry.
const FREE: [&str; 8] =
    ["cancel", "count_tokens", "countTokens", "detokenize", "files", "input_tokens", "moderations", "tokenize"];
/// The last words of paths whose calls cost what their tokens cost. What any other costs is not known before
/// it is made: batches, fine-tuning, images, speech.
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
/// What follows the quote of a name by which a body brings in what is not text within it: its tokens are not
/// bounded by its bytes.
const BEYOND_TEXT: [&[u8]; 21] = [
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
    b"googleSearch\"",
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
/// What any of them begins with: most words of a body are looked at no further.
static BEGINS: [bool; 256] = {
    let (mut begins, mut at) = ([false; 256], 0);
    while at < BEYOND_TEXT.len() {
        begins[BEYOND_TEXT[at][0] as usize] = true;
        at += 1;
    }
    begins
};
/// The same of those by which it lets the provider search the web, which some charge beside the tokens.
const SEARCHES: [&[u8]; 3] = [b"googleSearch\"", b"google_search\"", b"web_search"];
/// A model that may search does so a few times for an answer.
const MAX_SEARCHES: i64 = 10;

/// What is known of a call before anybody is asked.
pub(in crate::proxy) struct Demand {
    price: Priced,
    /// An upper bound of its input; `None`: whatever the model takes.
    input: Option<i64>,
    output: Option<i64>,
    choices: i64,
    searches: i64,
}

/// What a call can use at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) struct Bound {
    pub(in crate::proxy) tokens: i64,
    /// `None`: its price is not known.
    pub(in crate::proxy) cost: Option<NanoUsd>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Priced {
    Free,
    ByTokens,
    Embedding,
    Unknown,
}

/// Those of [`Asked`].
const ASKED: [&str; 7] = [
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "n",
    "best_of",
    "generationConfig",
    "generation_config",
];

#[derive(Default, Deserialize)]
struct Asked {
    max_tokens: Option<i64>,
    max_completion_tokens: Option<i64>,
    max_output_tokens: Option<i64>,
    n: Option<i64>,
    best_of: Option<i64>,
    #[serde(alias = "generation_config")]
    #[serde(rename = "generationConfig")]
    generation: Option<Generation>,
}

#[derive(Default, Deserialize)]
struct Generation {
    #[serde(alias = "max_output_tokens")]
    #[serde(rename = "maxOutputTokens")]
    max_output_tokens: Option<i64>,
    #[serde(alias = "candidate_count")]
    #[serde(rename = "candidateCount")]
    candidate_count: Option<i64>,
}

impl Demand {
    /// What a call of `path` asks for; `body`: as far as it was read.
    pub(in crate::proxy) fn of(method: &Method, headers: &HeaderMap, path: &str, body: Option<&[u8]>) -> Self {
        let price = Priced::of(method, headers, path);
        if price == Priced::Free {
            return Self { price, input: Some(0), output: Some(0), choices: 1, searches: 0 };
        }
        let beyond: Vec<_> = body.map(|body| names(body, &BEYOND_TEXT).collect()).unwrap_or_default();
        let input = body.filter(|_| beyond.is_empty());
        let searches = if beyond.iter().any(|name| SEARCHES.contains(name)) { MAX_SEARCHES } else { 0 };
        // What is no JSON of the known form says nothing; the model's own bounds count.
        let asked = body.and_then(|body| serde_json::from_slice(&scan::only(body, &ASKED)).ok());
        let asked: Asked = asked.unwrap_or_default();
        let generation = asked.generation.unwrap_or_default();
        let most = |figures: &[Option<i64>]| figures.iter().flatten().copied().max().filter(|most| *most >= 0);
        let output = most(&[
            asked.max_tokens,
            asked.max_completion_tokens,
            asked.max_output_tokens,
            generation.max_output_tokens,
        ]);
        let choices = most(&[asked.n, asked.best_of, generation.candidate_count]).unwrap_or(1).clamp(1, 1 << 20);
        Self { price, input: input.map(|body| int(body.len())), output, choices, searches }
    }

    /// What it can use at most when this model of this provider serves it.
    pub(in crate::proxy) fn at(&self, spec: &ProviderSpec, model: Option<&str>) -> Bound {
        if self.price == Priced::Free {
            return Bound { tokens: 0, cost: Some(0) };
        }
        let model = model.and_then(|name| spec.model(name));
        let (input, output) = (self.input(model), self.output(model));
        let price = model.and_then(|model| model.price.as_ref()).filter(|_| self.price != Priced::Unknown);
        let cost = price.and_then(|price| highest(price, input, output, self.searches));
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
        if self.price == Priced::Embedding || model.is_some_and(|model| model.mode == ModelMode::Embedding) {
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

/// What so many tokens cost at the highest prices that can apply to them, in a call that searches so often.
fn highest(price: &Price, input: i64, output: i64, searches: i64) -> Option<NanoUsd> {
    let tiers = price.long_context.iter().filter(|tier| input > tier.above_input_tokens).map(|tier| &tier.rates);
    let costs = std::iter::once(&price.rates).chain(tiers).map(|rates| of_tokens(rates, input, output));
    let tokens = costs.collect::<Option<Vec<_>>>()?.into_iter().max()?;
    let searched = part(searches, price.web_search)? * 1000;
    let total = tokens + searched + i128::from(price.per_request.unwrap_or(0)) * 1_000_000;
    i64::try_from((total + 999_999) / 1_000_000).ok()
}

/// In millionths of a nano-USD.
fn of_tokens(rates: &Rates, input: i64, output: i64) -> Option<i128> {
    let inputs = [rates.cached_input, rates.cache_write, rates.cache_write_1h, rates.audio_input];
    let input_rate = rates.input.map(|rate| inputs.into_iter().flatten().fold(rate, i64::max));
    let output_rate = rates.output.map(|rate| rate.max(rates.audio_output.unwrap_or(0)));
    Some(part(input, input_rate)? + part(output, output_rate)?)
}

fn part(count: i64, rate: Option<i64>) -> Option<i128> {
    if count == 0 { Some(0) } else { Some(i128::from(count) * i128::from(rate?)) }
}

/// Those of `wanted` that stand behind a quote. Inside a text every quote is escaped, but a text may be one.
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
            (r#"{"max_output_tokens":5}"#, 5),
            (r#"{"generationConfig":{"maxOutputTokens":5,"candidateCount":2}}"#, 10),
            (r#"{"max_tokens":99999999}"#, 16_384),
            (r#"{"max_tokens":"x"}"#, 16_384),
            (r#"{"max_tokens":1,"max_tokens":2}"#, 16_384),
            ("no json", 16_384),
            (r#"{"max_tokens":1,"x":[{"type":"image_url"}]}"#, 1),
        ] {
            let input = if body.contains("image_url") { 128_000 } else { i64::try_from(body.len()).unwrap() };
            let expected = Bound { tokens: input + output, cost: Some(input * 150 + output * 600) };
            assert_eq!(bound("/v1/chat/completions", "gpt-4o-mini", body), expected, "{body}");
        }
    }

    #[test]
    fn what_a_search_brings_in_is_bounded_by_the_model_alone() {
        let catalog = Catalog::load(None).unwrap();
        let taken = catalog.get("openai").unwrap().model("gpt-4o-mini").unwrap().max_input_tokens.unwrap();
        for tool in ["web_search", "web_search_preview", "web_search_20250305"] {
            let body = format!(r#"{{"max_tokens":1,"tools":[{{"type":"{tool}"}}]}}"#);
            assert_eq!(bound("/v1/responses", "gpt-4o-mini", &body).tokens, taken + 1, "{tool}");
        }
    }

    #[test]
    fn the_highest_price_that_can_apply_counts() {
        let long = format!("{{\"max_tokens\":1,\"x\":\"{}\"}}", "y".repeat(300_000));
        let tokens = i64::try_from(long.len()).unwrap();
        // Beyond 272,000 tokens of input: 20 and 75 US dollars for a million.
        assert_eq!(bound("/v1/responses", "gpt-6-astra", &long).cost, Some(tokens * 20_000 + 75_000));
        // Writing to the cache costs more than reading the input does.
        assert_eq!(bound("/v1/responses", "gpt-6-astra", r#"{"max_tokens":1}"#).cost, Some(16 * 12_500 + 50_000));
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
