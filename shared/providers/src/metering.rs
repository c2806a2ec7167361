//! Reads model and tokens from OpenAI-shaped answers, whole or streamed. Builds no tree of the
//! answer and keeps none of its content; a figure of an unexpected kind is unknown, not 0.

use keyway_domain::{NanoUsd, TokenCounts};
use memchr::memmem;
use serde::Deserialize;

use crate::{
    OutputTokens, ProviderSpec,
    lenient::{Count, Dollars, List, Maybe, Object, Text},
    scan,
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
    let answer: Maybe<Answer> = serde_json::from_slice(&scan::only(bytes, &FIELDS)).unwrap_or_default();
    let answer = answer.0.unwrap_or_default();
    let hides_tools = path.ends_with("/responses") && answer.output.0.is_none();
    let mut metered = answer.into_metered(output);
    if hides_tools {
        // The end of an answer too long to be kept: what its tools did, and so the cost, is not known.
        metered.tokens.input = None;
    }
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

/// Those of an [`Answer`].
const FIELDS: [&str; 5] = ["model", "usage", "x_groq", "output", "response"];

#[derive(Default, Deserialize)]
struct Answer {
    #[serde(default)]
    model: Text,
    #[serde(default)]
    usage: Maybe<Usage>,
    /// Where Groq puts the figures of a stream.
    #[serde(default)]
    x_groq: Maybe<Extension>,
    /// What an answer of the Responses API is made of.
    #[serde(default)]
    output: Maybe<List<Item>>,
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
    #[serde(default)]
    output: Maybe<List<Item>>,
}

/// A part of an answer: a text, or what a tool of the provider did for it.
#[derive(Deserialize)]
struct Item {
    #[serde(default, rename = "type")]
    kind: Text,
    #[serde(default)]
    action: Maybe<Action>,
}

#[derive(Deserialize)]
struct Action {
    #[serde(default, rename = "type")]
    kind: Text,
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
    /// Realtime sessions say it without the `s`.
    #[serde(default, alias = "input_token_details")]
    input_tokens_details: Maybe<InputDetails>,
    #[serde(default, alias = "output_token_details")]
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
    #[serde(default)]
    audio_tokens: Option<Count>,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct OutputDetails {
    #[serde(default)]
    reasoning_tokens: Count,
    #[serde(default)]
    audio_tokens: Option<Count>,
}

impl Object for Answer {}
impl Object for Inner {}
impl Object for Extension {}
impl Object for Usage {}
impl Object for InputDetails {}
impl Object for OutputDetails {}
impl Object for Item {}
impl Object for Action {}

impl Answer {
    fn into_metered(self, output: OutputTokens) -> Metered {
        let inner = self.response.0.unwrap_or_default();
        let usage = self.usage.0.or(inner.usage.0).or_else(|| self.x_groq.0.and_then(|extension| extension.usage.0));
        let items = self.output.0.or(inner.output.0);
        Metered {
            model: self.model.0.or(inner.model.0),
            tokens: usage
                .map(|usage| TokenCounts { web_searches: items.and_then(searches), ..usage.tokens(output) })
                .unwrap_or_default(),
            cost_nano_usd: usage.and_then(Usage::cost_nano_usd),
        }
    }
}

/// How often the web was searched; what was opened or looked through after it is not charged.
fn searches(items: List<Item>) -> Option<i64> {
    let is_search = |item: &&Item| {
        let action = item.action.0.as_ref().and_then(|action| action.kind.0.as_deref());
        item.kind.0.as_deref() == Some("web_search_call") && action.is_none_or(|action| action == "search")
    };
    i64::try_from(items.0.iter().filter(is_search).count()).ok().filter(|count| *count > 0)
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
        let all = match output {
            OutputTokens::Completion => self.completion_tokens.0.or(self.output_tokens.0),
            OutputTokens::TotalMinusPrompt => beyond_prompt(),
        };
        let heard = input_details.and_then(|details| details.audio_tokens);
        let spoken = output_details.and_then(|details| details.audio_tokens);
        TokenCounts {
            input: input.filter(|_| is_readable(heard)),
            cached_input: cached.or(self.prompt_cache_hit_tokens.0),
            cache_write: input_details.and_then(|details| details.cache_write_tokens.0),
            output: all.filter(|_| is_readable(spoken)),
            reasoning: output_details.and_then(|details| details.reasoning_tokens.0),
            audio_input: heard.and_then(|count| count.0),
            audio_output: spoken.and_then(|count| count.0),
            ..TokenCounts::default()
        }
    }
}

/// Whether a count of a dearer kind says how many: otherwise the whole it is part of has no known price.
pub(crate) fn is_readable(dearer: Option<Count>) -> bool {
    dearer.is_none_or(|count| count.0.is_some())
}

#[cfg(test)]
mod tests;
