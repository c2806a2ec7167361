//! Prices in whole nano-USD, and what a call costs by them. Never a float; an unknown part makes the whole cost
//! unknown.

use keyway_domain::{NanoUsd, PriceTerms, Timestamp, TokenCounts};

/// The price of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// What it costs.
    pub rates: Rates,
    /// Other rates for whole calls with very long input, shortest first.
    pub long_context: Vec<Tier>,
    /// Nano-USD for a thousand searches of the web; `None`: unknown.
    pub web_search: Option<i64>,
    /// Nano-USD for the call itself; `None`: nothing is charged for it.
    pub per_request: Option<i64>,
}

/// Nano-USD for a million tokens of each kind; `None`: unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Input tokens that have nothing to do with the provider's cache.
    pub input: Option<i64>,
    /// Input tokens read from the provider's cache.
    pub cached_input: Option<i64>,
    /// Input tokens written to the provider's cache.
    pub cache_write: Option<i64>,
    /// Those of them that are kept for an hour.
    pub cache_write_1h: Option<i64>,
    /// Output tokens.
    pub output: Option<i64>,
    /// Input tokens that are sound.
    pub audio_input: Option<i64>,
    /// Output tokens that are sound.
    pub audio_output: Option<i64>,
}

/// Parts of a cost are summed in so many parts of a nano-USD: prices are for a million tokens.
const PARTS: i128 = 1_000_000;

/// The rates of every token of a call whose input is longer than `above_input_tokens`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// The tier applies above this many input tokens.
    pub above_input_tokens: i64,
    /// What it costs then.
    pub rates: Rates,
}

impl Price {
    /// Says what one call with these counts costs, rounded half up to a nano-USD. `None` when a count or
    /// a price that matters is unknown; what did not occur needs no price, and what is free needs no count.
    #[must_use]
    pub fn cost(&self, tokens: &TokenCounts, terms: &PriceTerms, _at: Timestamp) -> Option<NanoUsd> {
        if !terms.is_ordinary() {
            return None;
        }
        let input = tokens.input?;
        let cached = tokens.cached_input.unwrap_or(0);
        let written_1h = tokens.cache_write_1h.unwrap_or(0);
        let written = tokens.cache_write.unwrap_or(0).checked_sub(written_1h)?;
        let heard = tokens.audio_input.unwrap_or(0);
        if heard > 0 && (cached, written, written_1h) != (0, 0, 0) {
            // Nobody says how much of the sound had to do with the cache.
            return None;
        }
        let spoken = tokens.audio_output.unwrap_or(0);
        let written_out = tokens.output.map(|output| output.saturating_sub(spoken));
        let fresh = input.checked_sub(cached)?.checked_sub(written)?.checked_sub(written_1h)?.checked_sub(heard)?;
        let tier = self.long_context.iter().rev().find(|tier| input > tier.above_input_tokens);
        let rates = tier.map_or(&self.rates, |tier| &tier.rates);
        let parts = [
            part(Some(fresh), rates.input)?,
            part(Some(cached), rates.cached_input)?,
            part(Some(written), rates.cache_write)?,
            part(Some(written_1h), rates.cache_write_1h)?,
            part(written_out, rates.output)?,
            part(Some(heard), rates.audio_input)?,
            part(Some(spoken), rates.audio_output)?,
            part(Some(tokens.web_searches.unwrap_or(0)), self.web_search)? * (PARTS / 1000),
            i128::from(self.per_request.unwrap_or(0)) * PARTS,
        ];
        let total: i128 = parts.iter().sum();
        i64::try_from((total + PARTS / 2) / PARTS).ok()
    }
}

fn part(count: Option<i64>, price: Option<i64>) -> Option<i128> {
    match (count, price) {
        (Some(0), _) | (_, Some(0)) => Some(0),
        (Some(count), Some(price)) if count > 0 => Some(i128::from(count) * i128::from(price)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(price: &Price, tokens: &TokenCounts) -> Option<NanoUsd> {
        price.cost(tokens, &PriceTerms::default(), Timestamp::default())
    }

    fn tokens(input: Option<i64>, cached_input: Option<i64>, output: Option<i64>) -> TokenCounts {
        TokenCounts { input, cached_input, output, ..TokenCounts::default() }
    }

    fn flat(rates: Rates) -> Price {
        Price { rates, ..Price::default() }
    }

    #[test]
    fn a_cost_is_exact_and_unknown_is_never_zero() {
        let mini = flat(Rates {
            input: Some(150_000_000),
            cached_input: Some(75_000_000),
            output: Some(600_000_000),
            ..Rates::default()
        });
        let embedding = flat(Rates { input: Some(20_000_000), output: Some(0), ..Rates::default() });
        for (name, price, counts, expected) in [
            ("plain", &mini, tokens(Some(20), None, Some(10)), Some(9_000)),
            ("cached", &mini, tokens(Some(20), Some(10), Some(10)), Some(8_250)),
            ("nothing", &mini, tokens(Some(0), Some(0), Some(0)), Some(0)),
            ("no counts", &mini, tokens(None, None, None), None),
            ("no output count", &mini, tokens(Some(1), None, None), None),
            ("more cached than input", &mini, tokens(Some(1), Some(2), Some(0)), None),
            ("negative", &mini, tokens(Some(-1), None, Some(0)), None),
            ("embedding", &embedding, tokens(Some(8), None, None), Some(160)),
            ("cached without a price", &embedding, tokens(Some(8), Some(1), Some(0)), None),
            ("no price at all", &Price::default(), tokens(Some(1), None, Some(1)), None),
            ("too large", &mini, tokens(Some(i64::MAX), None, Some(i64::MAX)), None),
        ] {
            assert_eq!(cost(price, &counts), expected, "{name}");
        }
    }

    #[test]
    fn what_is_written_to_the_cache_has_its_own_price() {
        let rates = Rates {
            input: Some(3_000_000_000),
            cached_input: Some(300_000_000),
            cache_write: Some(3_750_000_000),
            cache_write_1h: Some(6_000_000_000),
            output: Some(15_000_000_000),
            ..Rates::default()
        };
        let counts = |cache_write, cache_write_1h| TokenCounts {
            input: Some(2160),
            cached_input: Some(2048),
            cache_write: Some(cache_write),
            cache_write_1h,
            output: Some(5),
            ..TokenCounts::default()
        };
        let base = 2048 * 300 + 5 * 15_000;
        assert_eq!(cost(&flat(rates), &counts(100, None)), Some(base + 12 * 3000 + 100 * 3750));
        assert_eq!(cost(&flat(rates), &counts(100, Some(40))), Some(base + 12 * 3000 + 60 * 3750 + 40 * 6000));
        assert_eq!(cost(&flat(rates), &counts(113, None)), None, "more written than there was input");
        assert_eq!(cost(&flat(rates), &counts(10, Some(11))), None, "more kept long than written");
        let unpriced = Rates { cache_write: None, ..rates };
        assert_eq!(cost(&flat(unpriced), &counts(100, None)), None);
        assert_eq!(cost(&flat(unpriced), &counts(0, None)), Some(base + 112 * 3000));
    }

    #[test]
    fn sound_searches_and_the_call_itself_have_prices_of_their_own() {
        let (million, thousand) = (1_000_000, 1_000);
        let rates = Rates {
            input: Some(2 * million),
            cached_input: Some(million),
            output: Some(8 * million),
            audio_input: Some(30 * million),
            audio_output: Some(60 * million),
            ..Rates::default()
        };
        let price = Price { web_search: Some(10 * thousand), per_request: Some(5), ..flat(rates) };
        let base = tokens(Some(100), None, Some(10));
        let sound = |audio_input, audio_output| TokenCounts { audio_input, audio_output, ..base };
        let searches = |web_searches| TokenCounts { web_searches, ..base };
        let text = 100 * 2 + 10 * 8 + 5;
        for (name, counts, expected) in [
            ("text alone", base, Some(text)),
            ("none of it", TokenCounts { web_searches: Some(0), ..sound(Some(0), Some(0)) }, Some(text)),
            ("heard", sound(Some(40), None), Some(text + 40 * 28)),
            ("spoken", sound(None, Some(10)), Some(text + 10 * 52)),
            ("more heard than input", sound(Some(101), None), None),
            ("more spoken than output", sound(None, Some(11)), None),
            ("which of it was cached", TokenCounts { cached_input: Some(1), ..sound(Some(40), None) }, None),
            ("searched", searches(Some(3)), Some(text + 30)),
            ("negative", searches(Some(-1)), None),
        ] {
            assert_eq!(cost(&price, &counts), expected, "{name}");
        }
        let silent = flat(Rates { audio_input: None, audio_output: None, ..rates });
        assert_eq!(cost(&silent, &base), Some(text - 5));
        for unpriced in [sound(Some(1), None), sound(None, Some(1)), searches(Some(1))] {
            assert_eq!(cost(&silent, &unpriced), None, "{unpriced:?}");
        }
    }

    #[test]
    fn half_a_nano_usd_rounds_up_once_for_the_whole_call() {
        let price = flat(Rates { input: Some(37_500_000), output: Some(500_000), ..Rates::default() });
        assert_eq!(cost(&price, &tokens(Some(1), None, Some(0))), Some(38));
        assert_eq!(cost(&price, &tokens(Some(1), None, Some(1))), Some(38));
        assert_eq!(cost(&price, &tokens(Some(2), None, Some(0))), Some(75));
    }

    #[test]
    fn long_input_changes_the_price_of_the_whole_call() {
        let rates = |input| Rates { input: Some(input), output: Some(0), ..Rates::default() };
        let tier = |above_input_tokens, input| Tier { above_input_tokens, rates: rates(input) };
        let price = Price {
            rates: rates(1_000_000),
            long_context: vec![tier(100, 2_000_000), tier(1000, 3_000_000)],
            ..Price::default()
        };
        for (input, expected) in [(100, 100), (101, 202), (1000, 2000), (1001, 3003)] {
            assert_eq!(cost(&price, &tokens(Some(input), None, Some(1))), Some(expected));
        }
    }
}
