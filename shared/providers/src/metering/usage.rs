//! `usage` objects of all providers: OpenAI's two generations of names, Anthropic's, Cohere's billed units, and the
//! variants of other hosts. A figure of an unexpected kind is unknown, not 0; a 0 beside or after a positive figure is
//! ignored.

use std::collections::BTreeMap;

use keyway_domain::{NanoUsd, PriceTerms, TokenCounts};
use serde::Deserialize;

use super::is_readable;
use crate::{
    OutputTokens,
    lenient::{Count, Dollars, List, Map, Maybe, Object, Text},
};

/// A `usage` object. A field that is absent or null is unknown.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Usage {
    prompt_tokens: Option<Count>,
    completion_tokens: Option<Count>,
    /// Input tokens under the Responses API's and Anthropic's name; some hosts send both generations.
    input_tokens: Option<Count>,
    output_tokens: Option<Count>,
    total_tokens: Count,
    prompt_tokens_details: Maybe<InputDetails>,
    completion_tokens_details: Maybe<OutputDetails>,
    input_tokens_details: Maybe<InputDetails>,
    output_tokens_details: Maybe<OutputDetails>,
    /// `input_tokens_details` in realtime sessions.
    input_token_details: Maybe<InputDetails>,
    output_token_details: Maybe<OutputDetails>,
    /// Cached input tokens under DeepSeek's name.
    prompt_cache_hit_tokens: Count,
    /// Anthropic's cached input tokens; some hosts put them beside OpenAI's names, whose input then includes them.
    cache_read_input_tokens: Option<Count>,
    cache_creation_input_tokens: Option<Count>,
    cache_creation: Maybe<CacheCreation>,
    server_tool_use: Maybe<Map<i64>>,
    /// Anthropic's steps of one answer, all of which are charged.
    iterations: Maybe<List<Usage>>,
    /// Model of an iteration, if it is not the answer's.
    model: Text,
    /// Mistral's number of uses of each connector.
    connectors: Maybe<Map<i64>>,
    /// Kind of figures that are not the model's own: `tokens` or `duration` of a transcription.
    #[serde(rename = "type")]
    kind: Text,
    /// Cohere's charged units, beside the tokens it processed.
    billed_units: Maybe<Units>,
    service_tier: Text,
    speed: Text,
    inference_geo: Text,
    /// OpenRouter's charge.
    cost: Dollars,
    /// `true` if OpenRouter called with the account's own key: then `cost` is its fee, and the provider charges beside
    /// it.
    is_byok: Maybe<bool>,
    cost_details: Maybe<CostDetails>,
    /// xAI's charge, in tenths of a nano-USD.
    cost_in_usd_ticks: Count,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct InputDetails {
    cached_tokens: Count,
    cached_tokens_details: Maybe<CachedDetails>,
    cache_write_tokens: Count,
    cache_write_tokens_details: Maybe<WriteDetails>,
    audio_tokens: Option<Count>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct CachedDetails {
    audio_tokens: Option<Count>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct WriteDetails {
    ttl_12h_tokens: Count,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct OutputDetails {
    reasoning_tokens: Option<Count>,
    thinking_tokens: Option<Count>,
    audio_tokens: Option<Count>,
}

/// Cache writes by the time they are kept.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CacheCreation {
    ephemeral_5m_input_tokens: Count,
    pub(crate) ephemeral_1h_input_tokens: Count,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct Units {
    input_tokens: Count,
    output_tokens: Count,
    images: Count,
    image_tokens: Count,
    search_units: Count,
    classifications: Count,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct CostDetails {
    upstream_inference_cost: Dollars,
}

impl Object for Usage {}
impl Object for InputDetails {}
impl Object for CachedDetails {}
impl Object for WriteDetails {}
impl Object for OutputDetails {}
impl Object for CacheCreation {}
impl Object for Units {}
impl Object for CostDetails {}

/// Anthropic's tools that cost nothing but tokens.
const FREE_REQUESTS: [&str; 2] = ["web_fetch_requests", "tool_search_requests"];

impl CacheCreation {
    /// Returns all cache writes.
    pub(crate) fn total(self) -> Option<i64> {
        self.ephemeral_5m_input_tokens.0?.checked_add(self.ephemeral_1h_input_tokens.0?)
    }
}

impl Usage {
    /// Returns these figures merged over those of earlier events. `is_message`: the place of the object makes it
    /// Anthropic's.
    pub(super) fn over(&self, before: TokenCounts, output: OutputTokens, is_message: bool) -> TokenCounts {
        if let Some(units) = self.billed_units.0 {
            return units.tokens().over(before);
        }
        let iterations = self.iterations.0.as_ref().map_or(&[][..], |list| &list.0);
        if !iterations.is_empty() {
            let sum = |sum: TokenCounts, one: &Self| sum.plus(one.over(TokenCounts::default(), output, true));
            let tokens = iterations.iter().fold(TokenCounts::default(), sum);
            let said = TokenCounts { web_searches: self.searches().and_then(|count| count.0), ..tokens };
            return said.over(before);
        }
        let names_prompt = positive(self.prompt_tokens).is_some();
        if !names_prompt && (is_message || self.is_anthropic()) {
            return self.message_over(before);
        }
        self.completion(output).over(before)
    }

    /// Returns the stated charge in nano-USD.
    pub(super) fn cost_nano_usd(&self) -> Option<NanoUsd> {
        if self.is_byok.0 == Some(true) {
            let fee = self.cost.0.unwrap_or(0);
            return fee.checked_add(self.cost_details.0?.upstream_inference_cost.0?);
        }
        self.cost.0.or_else(|| Some(self.cost_in_usd_ticks.0?.checked_add(5)? / 10))
    }

    /// Merges the stated price terms over those of earlier events.
    pub(super) fn terms_over(&self, terms: &mut PriceTerms) {
        let said = |text: &Text, term: &mut Option<String>| {
            if let Some(text) = &text.0 {
                *term = ordinary(text.clone());
            }
        };
        said(&self.service_tier, &mut terms.service_tier);
        said(&self.speed, &mut terms.speed);
        said(&self.inference_geo, &mut terms.region);
        for (name, count) in entries(&self.server_tool_use) {
            if *count > 0 && name != "web_search_requests" && !FREE_REQUESTS.contains(&name.as_str()) {
                terms.tools.insert(name.strip_suffix("_requests").unwrap_or(name).to_owned(), *count);
            }
        }
        for (name, count) in entries(&self.connectors).filter(|(_, count)| **count > 0) {
            terms.tools.insert(name.clone(), *count);
        }
        let others = self.iterations.0.iter().flat_map(|list| &list.0).filter(|one| one.model.0.is_some()).count();
        if others > 0 {
            // Charged at the prices of a model that the answer does not name.
            terms.tools.insert("advisor".to_owned(), i64::try_from(others).unwrap_or(i64::MAX));
        }
    }

    /// Returns `true` for figures of a transcription within a session, which another model made.
    pub(super) fn is_transcription(&self) -> bool {
        self.kind.0.is_some()
    }

    fn is_anthropic(&self) -> bool {
        let has_cache = self.cache_read_input_tokens.is_some() || self.cache_creation_input_tokens.is_some();
        (has_cache || self.cache_creation.0.is_some() || self.server_tool_use.0.is_some())
            && self.input_tokens_details.0.is_none()
    }

    /// Returns OpenAI's figures, of either generation: input includes cached tokens.
    fn completion(&self, output: OutputTokens) -> TokenCounts {
        let input = larger([self.prompt_tokens, self.input_tokens]);
        let details = [self.prompt_tokens_details.0, self.input_tokens_details.0, self.input_token_details.0];
        let details = || details.iter().flatten();
        let most = |counts: &mut dyn Iterator<Item = Option<i64>>| counts.flatten().max();
        let cached = most(
            &mut details()
                .map(|it| it.cached_tokens.0)
                .chain([self.prompt_cache_hit_tokens.0, self.cache_read_input_tokens.and_then(|count| count.0)]),
        );
        let written = most(
            &mut details()
                .map(|it| it.cache_write_tokens.0)
                .chain([self.cache_creation_input_tokens.and_then(|count| count.0)]),
        );
        let for_12h = details().find_map(|it| it.cache_write_tokens_details.0?.ttl_12h_tokens.0);
        let heard = details().find_map(|it| it.audio_tokens);
        let cached_heard = details().find_map(|it| it.cached_tokens_details.0?.audio_tokens);
        let made = [self.completion_tokens_details.0, self.output_tokens_details.0, self.output_token_details.0];
        let made = || made.iter().flatten();
        let reasoning = made().find_map(|it| it.reasoning_tokens.and_then(|count| count.0));
        let spoken = made().find_map(|it| it.audio_tokens);
        TokenCounts {
            input: input.filter(|_| is_readable(heard) && is_readable(cached_heard)),
            cached_input: cached,
            cache_write: written,
            cache_write_1h: self.cache_creation.0.and_then(|kinds| kinds.ephemeral_1h_input_tokens.0),
            cache_write_12h: for_12h.filter(|count| *count > 0),
            output: self.output(output, input, reasoning).filter(|_| is_readable(spoken)),
            reasoning,
            audio_input: heard.and_then(|count| count.0),
            cached_audio_input: cached_heard.and_then(|count| count.0),
            audio_output: spoken.and_then(|count| count.0),
            ..TokenCounts::default()
        }
    }

    fn output(&self, output: OutputTokens, input: Option<i64>, reasoning: Option<i64>) -> Option<i64> {
        let made = larger([self.completion_tokens, self.output_tokens]);
        let Some(total) = self.total_tokens.0.filter(|total| *total > 0) else {
            return match output {
                OutputTokens::Completion => made,
                OutputTokens::TotalMinusPrompt => made?.checked_add(reasoning.unwrap_or(0)),
            };
        };
        match output {
            OutputTokens::Completion => made,
            OutputTokens::TotalMinusPrompt => total.checked_sub(input?).filter(|count| *count >= 0),
        }
    }

    /// Returns Anthropic's figures, whose input excludes tokens read from or written to the cache, in the normal form.
    fn message_over(&self, before: TokenCounts) -> TokenCounts {
        let kinds = self.cache_creation.0;
        let cached_input = said(self.cache_read_input_tokens, before.cached_input);
        let written = kinds.map_or(before.cache_write, CacheCreation::total);
        let cache_write = said(self.cache_creation_input_tokens, written);
        let kept_1h = before.cache_write_1h.filter(|kept| cache_write.is_some_and(|written| *kept <= written));
        let uncached = said(self.input_tokens, uncached(before));
        let searches = self.searches();
        let thinking = self.output_tokens_details.0.and_then(|details| details.thinking_tokens);
        TokenCounts {
            input: self.all(uncached, cached_input, cache_write).filter(|_| is_readable(searches)),
            cached_input,
            cache_write,
            cache_write_1h: kinds.map_or(kept_1h, |kinds| kinds.ephemeral_1h_input_tokens.0),
            output: said(self.output_tokens, before.output),
            reasoning: said(thinking, before.reasoning),
            web_searches: said(searches, before.web_searches),
            ..before
        }
    }

    fn searches(&self) -> Option<Count> {
        self.server_tool_use.0.as_ref()?.0.get("web_search_requests").copied()
    }

    /// Returns all input. A part that was never named did not occur; an unreadable one makes the sum unknown.
    fn all(&self, uncached: Option<i64>, cached: Option<i64>, written: Option<i64>) -> Option<i64> {
        let unreadable = [self.cache_read_input_tokens, self.cache_creation_input_tokens].into_iter().flatten();
        if unreadable.into_iter().any(|count| count.0.is_none()) {
            return None;
        }
        uncached?.checked_add(cached.unwrap_or(0))?.checked_add(written.unwrap_or(0))
    }
}

impl Units {
    fn tokens(self) -> TokenCounts {
        let is_billed = |count: &Count| count.0.is_some_and(|count| count > 0);
        // Units with prices of their own that nobody lists: where some are billed, tokens do not tell the cost.
        let has_others = [self.images, self.image_tokens, self.classifications].iter().any(is_billed);
        let searched_only = is_billed(&self.search_units).then_some(0);
        TokenCounts {
            input: self.input_tokens.0.or(searched_only).filter(|_| !has_others),
            output: self.output_tokens.0.or(searched_only),
            search_units: self.search_units.0.filter(|count| *count > 0),
            ..TokenCounts::default()
        }
    }
}

/// Figures that replace earlier ones of a stream.
pub(super) trait Over {
    fn over(self, before: Self) -> Self;
}

impl Over for TokenCounts {
    /// Replaces the figures of an earlier event as a whole, except those that are now 0 or absent but were positive
    /// before.
    fn over(self, before: Self) -> Self {
        if self == Self::default() {
            return before;
        }
        let later = |new: Option<i64>, old: Option<i64>| match (new, old) {
            (Some(0), Some(old)) if old > 0 => Some(old),
            (new, _) => new,
        };
        Self {
            input: later(self.input, before.input),
            cached_input: later(self.cached_input, before.cached_input),
            cache_write: later(self.cache_write, before.cache_write),
            output: later(self.output, before.output),
            web_searches: self.web_searches.max(before.web_searches),
            ..self
        }
    }
}

/// Returns a price term; `None` for the ordinary one, by any of its names.
pub(super) fn ordinary(text: String) -> Option<String> {
    const ORDINARY: [&str; 8] =
        ["", "auto", "default", "global", "not_available", "on_demand", "standard", "unspecified"];
    const LONGEST_BYTES: usize = 40;
    let text = text.to_ascii_lowercase();
    (!ORDINARY.contains(&text.as_str()) && text.len() <= LONGEST_BYTES).then_some(text)
}

/// Returns the readable counts by name.
fn entries(counts: &Maybe<Map<i64>>) -> impl Iterator<Item = (&String, &i64)> {
    let map: Option<&BTreeMap<String, Count>> = counts.0.as_ref().map(|map| &map.0);
    map.into_iter().flatten().filter_map(|(name, count)| Some((name, count.0.as_ref()?)))
}

fn positive(count: Option<Count>) -> Option<i64> {
    count.and_then(|count| count.0).filter(|count| *count > 0)
}

/// Returns the larger value of two names for one figure; unknown if one is present and unreadable.
fn larger(counts: [Option<Count>; 2]) -> Option<i64> {
    if counts.into_iter().flatten().any(|count| count.0.is_none()) {
        return counts.into_iter().find_map(positive);
    }
    counts.into_iter().flatten().filter_map(|count| count.0).max()
}

/// Returns the present figure, or else the earlier one; a 0 after a positive figure is ignored.
fn said(now: Option<Count>, before: Option<i64>) -> Option<i64> {
    match now {
        None => before,
        Some(Maybe(Some(0))) if before.is_some_and(|before| before > 0) => before,
        Some(count) => count.0,
    }
}

fn uncached(tokens: TokenCounts) -> Option<i64> {
    tokens.input?.checked_sub(tokens.cached_input.unwrap_or(0))?.checked_sub(tokens.cache_write.unwrap_or(0))
}
