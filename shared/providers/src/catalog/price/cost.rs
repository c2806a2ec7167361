//! The cost of a call. An unknown part makes the whole cost unknown.

use keyway_domain::{NanoUsd, PriceTerms, Timestamp, TokenCounts};

use super::{Fees, Price, Rate};

/// Divisor of rates, which are per million tokens; fees are per thousand uses.
pub(super) const MILLION: i128 = 1_000_000;
const THOUSAND: i128 = 1000;

impl Price {
    /// Returns the cost in nano-USD, rounded half up, of a call with these counts on these terms that came in at `at`.
    /// `None` if a count, a price or a rule that matters is unknown; a kind with count 0 needs no price, and a free
    /// kind needs no count.
    #[must_use]
    pub fn cost(&self, tokens: &TokenCounts, terms: &PriceTerms, at: Timestamp) -> Option<NanoUsd> {
        let period = self.at(at)?;
        // Whoever does not know how long the input was cannot know either which rates hold.
        let input = if period.long_context.is_empty() { tokens.input.unwrap_or(0) } else { tokens.input? };
        let rates = self.effective(period, input, terms, at)?;
        let mut parts: i128 = 0;
        for (rate, count) in split(tokens)? {
            parts = parts.checked_add(part(count, rates.get(rate))?)?;
        }
        let tools = self.tool_fees(terms)?;
        let fees = period.fees.of(tokens)?.checked_add(tools)?.checked_mul(rates.denominator)?;
        let whole = MILLION.checked_mul(rates.denominator)?;
        let total = parts.checked_add(fees)?.checked_add(whole / 2)?;
        i64::try_from(total / whole).ok()
    }

    /// Sums the fees for tools, in millionths of a nano-USD.
    pub(super) fn tool_fees(&self, terms: &PriceTerms) -> Option<i128> {
        terms.tools.iter().try_fold(0_i128, |sum, (tool, uses)| {
            sum.checked_add(fee(Some(*uses), self.tools.get(tool).map(|tool| tool.per_thousand))?)
        })
    }
}

impl Fees {
    /// Sums the fees of a call, in millionths of a nano-USD.
    fn of(&self, tokens: &TokenCounts) -> Option<i128> {
        let searched = self.of_call(tokens.web_searches.unwrap_or(0))?;
        // Where units of searching are what is charged, a call without their number has no price.
        let units = tokens.search_units.or_else(|| self.search_unit.is_none().then_some(0));
        searched.checked_add(fee(units, self.search_unit)?)
    }

    /// Sums the fees of the call itself and of its web searches, in millionths of a nano-USD.
    pub(super) fn of_call(&self, searches: i64) -> Option<i128> {
        let searched = match self.grounded_prompt {
            Some(_) => fee(Some(searches.min(1)), self.grounded_prompt)?,
            None => fee(Some(searches), self.web_search)?,
        };
        searched.checked_add(i128::from(self.per_request.unwrap_or(0)) * MILLION)
    }
}

/// Computes a fee that is charged per thousand, in millionths of a nano-USD.
pub(super) fn fee(count: Option<i64>, for_thousand: Option<i64>) -> Option<i128> {
    part(count, for_thousand.map(i128::from))?.checked_mul(THOUSAND)
}

/// Multiplies count and price; `None`: unknown.
pub(super) fn part(count: Option<i64>, price: Option<i128>) -> Option<i128> {
    match (count, price) {
        (Some(0), _) | (_, Some(0)) => Some(0),
        (Some(count), Some(price)) if count > 0 => i128::from(count).checked_mul(price),
        _ => None,
    }
}

/// Splits the tokens into disjoint kinds; a kind without a count is `None`. Returns `None` if the counts contradict
/// each other, or do not say how much of the audio was cached.
fn split(tokens: &TokenCounts) -> Option<[(Rate, Option<i64>); Rate::ALL.len()]> {
    let known = |count: Option<i64>| count.unwrap_or(0);
    let (cached, written) = (known(tokens.cached_input), known(tokens.cache_write));
    let (kept_1h, kept_12h) = (known(tokens.cache_write_1h), known(tokens.cache_write_12h));
    let heard = known(tokens.audio_input);
    let heard_of_cached = match tokens.cached_audio_input {
        None if heard > 0 && cached > 0 => return None,
        of_cached => known(of_cached),
    };
    if heard > 0 && written != 0 {
        return None;
    }
    let heard_anew = heard.checked_sub(heard_of_cached)?;
    let input = |input: i64| input.checked_sub(cached)?.checked_sub(written)?.checked_sub(heard_anew);
    let fresh = match tokens.input {
        Some(all) => Some(input(all)?),
        None => None,
    };
    let spoken = known(tokens.audio_output);
    let parts = [
        (Rate::Input, fresh),
        (Rate::CachedInput, Some(cached.checked_sub(heard_of_cached)?)),
        (Rate::CacheWrite, Some(written.checked_sub(kept_1h)?.checked_sub(kept_12h)?)),
        (Rate::CacheWrite1h, Some(kept_1h)),
        (Rate::CacheWrite12h, Some(kept_12h)),
        (Rate::Output, tokens.output.map(|output| output.saturating_sub(spoken))),
        (Rate::AudioInput, Some(heard_anew)),
        (Rate::CachedAudioInput, Some(heard_of_cached)),
        (Rate::AudioOutput, Some(spoken)),
    ];
    parts.iter().all(|(_, count)| count.is_none_or(|count| count >= 0)).then_some(parts)
}

#[cfg(test)]
#[path = "cost_tests.rs"]
mod tests;
