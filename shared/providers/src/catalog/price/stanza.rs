//! Prices in the models file: parsing, and refusals with a sentence that helps.

use keyway_domain::Timestamp;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::{Fees, Period, Price, Rate, Rates, Source, Tier};
use crate::decimal;

/// Largest accepted price: a thousand dollars per million tokens or per thousand searches.
const MOST_NANO_USD: i64 = 1_000_000_000_000;

/// Dollars as decimal text, held as nano-USD. YAML hands over an unquoted number as written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dollars(pub(super) i64);

impl<'de> Deserialize<'de> for Dollars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const FORM: &str = "a price is US dollars in quotes, like \"0.15\", with at most 9 decimals";
        let text = String::deserialize(deserializer).map_err(|error| D::Error::custom(format!("{FORM} ({error})")))?;
        let nano_usd =
            decimal::exact_nano_usd(&text).ok_or_else(|| D::Error::custom(format!("{FORM}, not \"{text}\"")))?;
        if nano_usd > MOST_NANO_USD {
            return Err(D::Error::custom(format!("a price of ${text} is a slip; most are for a million tokens")));
        }
        Ok(Self(nano_usd))
    }
}

/// A price, of a span of time, or for long input.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::catalog) struct PriceStanza {
    from: Option<String>,
    until: Option<String>,
    source: Option<String>,
    seen: Option<String>,
    above_input_tokens: Option<i64>,
    from_input_tokens: Option<i64>,
    input: Option<Dollars>,
    cached_input: Option<Dollars>,
    cache_write: Option<Dollars>,
    cache_write_1h: Option<Dollars>,
    cache_write_12h: Option<Dollars>,
    output: Option<Dollars>,
    audio_input: Option<Dollars>,
    cached_audio_input: Option<Dollars>,
    audio_output: Option<Dollars>,
    web_search: Option<Dollars>,
    grounded_prompt: Option<Dollars>,
    search_unit: Option<Dollars>,
    per_request: Option<Dollars>,
    long_context: Vec<PriceStanza>,
}

/// Checks that a source has a name and a day.
pub(in crate::catalog) fn check_source(source: Source) -> Result<Source, String> {
    if source.source.is_empty() {
        return Err("`source` is empty".to_owned());
    }
    day(&source.seen).map_err(|problem| format!("`seen`: {problem}"))?;
    Ok(source)
}

/// Reads the ordinary prices of a model. `free_output`: its output is not tokens, so that their price is known to be 0.
pub(in crate::catalog) fn read(
    stanzas: Vec<PriceStanza>,
    free_output: bool,
    default: Option<&Source>,
) -> Result<Price, String> {
    let is_one = stanzas.len() == 1;
    if stanzas.is_empty() {
        return Err("`prices` has no price in it".to_owned());
    }
    let periods = stanzas.into_iter().map(|stanza| stanza.period(free_output, is_one, default));
    let periods = periods.collect::<Result<Vec<_>, _>>()?;
    for pair in periods.windows(2) {
        let [first, second] = pair else { continue };
        match (first.until, second.from) {
            (Some(until), Some(from)) if until == from => {}
            (Some(until), Some(from)) => {
                let fault = if until < from { "leave a gap" } else { "overlap" };
                return Err(format!(
                    "its `prices` {fault}: one ends on {}, the next begins on {}",
                    until.day(),
                    from.day()
                ));
            }
            _ => {
                return Err(
                    "its `prices` are in order of time, each but the last with `until`, each but the first with `from`"
                        .into(),
                );
            }
        }
    }
    Ok(Price { periods, ..Price::default() })
}

impl PriceStanza {
    /// Reads the period; `is_one`: it is the only one of its model.
    fn period(mut self, free_output: bool, is_one: bool, default: Option<&Source>) -> Result<Period, String> {
        self.check()?;
        let tiers = std::mem::take(&mut self.long_context).into_iter().map(|tier| tier.tier(free_output));
        let long_context = tiers.collect::<Result<Vec<_>, _>>()?;
        if !long_context.is_sorted_by(|first, second| first.from_input_tokens < second.from_input_tokens) {
            return Err("`long_context` is not in ascending order of its borders".to_owned());
        }
        let moment = |name: &str, text: &Option<String>| {
            text.as_deref().map(day).transpose().map_err(|problem| format!("`{name}`: {problem}"))
        };
        let (from, until) = (moment("from", &self.from)?, moment("until", &self.until)?);
        if from.zip(until).is_some_and(|(from, until)| from >= until) {
            return Err("a price ends before it begins: `until` is not after `from`".to_owned());
        }
        let has_dates = !is_one || from.is_some() || until.is_some();
        let source = match (self.source.take(), self.seen.take()) {
            (Some(source), Some(seen)) => Some(check_source(Source { source, seen })?),
            (None, None) if !has_dates => default.cloned(),
            _ => return Err("a price with dates says its `source` and the day it was `seen`".to_owned()),
        };
        let fees = Fees {
            web_search: nano_usd(self.web_search),
            grounded_prompt: nano_usd(self.grounded_prompt),
            search_unit: nano_usd(self.search_unit),
            per_request: nano_usd(self.per_request),
        };
        Ok(Period { from, until, rates: self.rates(free_output), long_context, fees, source })
    }

    fn check(&self) -> Result<(), String> {
        if self.above_input_tokens.or(self.from_input_tokens).is_some() {
            return Err("`above_input_tokens` and `from_input_tokens` belong into `long_context`".to_owned());
        }
        if self.web_search.is_some() && self.grounded_prompt.is_some() {
            return Err("either `web_search` or `grounded_prompt` is charged, not both".to_owned());
        }
        if self.cached_input.zip(self.input).is_some_and(|(cached, input)| cached.0 > input.0) {
            return Err("`cached_input` costs more than `input`".to_owned());
        }
        Ok(())
    }

    fn tier(self, free_output: bool) -> Result<Tier, String> {
        let has_text = [&self.from, &self.until, &self.source, &self.seen].iter().any(|text| text.is_some());
        let fees = [self.web_search, self.grounded_prompt, self.search_unit, self.per_request];
        if has_text || fees.iter().any(Option::is_some) || !self.long_context.is_empty() {
            return Err("`long_context` has a border and rates, and nothing else".to_owned());
        }
        let from_input_tokens = match (self.above_input_tokens, self.from_input_tokens) {
            (Some(above), None) => above.saturating_add(1),
            (None, Some(from)) => from,
            _ => return Err("`long_context` has either `above_input_tokens` or `from_input_tokens`".to_owned()),
        };
        Ok(Tier { from_input_tokens, rates: self.rates(free_output) })
    }

    fn rates(&self, free_output: bool) -> Rates {
        let each = [
            (Rate::Input, self.input),
            (Rate::CachedInput, self.cached_input),
            (Rate::CacheWrite, self.cache_write),
            (Rate::CacheWrite1h, self.cache_write_1h),
            (Rate::CacheWrite12h, self.cache_write_12h),
            (Rate::Output, self.output.or(free_output.then_some(Dollars(0)))),
            (Rate::AudioInput, self.audio_input),
            (Rate::CachedAudioInput, self.cached_audio_input),
            (Rate::AudioOutput, self.audio_output),
        ];
        each.into_iter().filter_map(|(rate, dollars)| Some((rate, dollars?.0))).collect()
    }
}

/// Returns the first moment of a day, in UTC.
fn day(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(&format!("{text}T00:00:00Z")).ok_or_else(|| format!("`{text}` is no day like 2026-11-28"))
}

fn nano_usd(dollars: Option<Dollars>) -> Option<i64> {
    dollars.map(|dollars| dollars.0)
}
