//! Prices in whole nano-USD per million tokens, and what tokens cost by them. Never a float; an
//! unknown part makes the whole cost unknown.

use keyway_domain::{NanoUsd, TokenCounts};

/// The price of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// What it costs.
    pub rates: Rates,
    /// Other rates for whole calls with very long input, shortest first.
    pub long_context: Vec<Tier>,
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
}

/// The rates of every token of a call whose input is longer than `above_input_tokens`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// The tier applies above this many input tokens.
    pub above_input_tokens: i64,
    /// What it costs then.
    pub rates: Rates,
}

impl Price {
    /// What one call with these tokens costs, rounded half up to a nano-USD. `None` when a count or
    /// a price that matters is unknown; a kind of token that did not occur needs no price, and a
    /// kind that is free needs no count.
    #[must_use]
    pub fn cost(&self, tokens: &TokenCounts) -> Option<NanoUsd> {
        let input = tokens.input?;
        let cached = tokens.cached_input.unwrap_or(0);
        let written_1h = tokens.cache_write_1h.unwrap_or(0);
        let written = tokens.cache_write.unwrap_or(0).checked_sub(written_1h)?;
        let fresh = input.checked_sub(cached)?.checked_sub(written)?.checked_sub(written_1h)?;
        let tier = self.long_context.iter().rev().find(|tier| input > tier.above_input_tokens);
        let rates = tier.map_or(&self.rates, |tier| &tier.rates);
        let parts = [
            part(Some(fresh), rates.input)?,
            part(Some(cached), rates.cached_input)?,
            part(Some(written), rates.cache_write)?,
            part(Some(written_1h), rates.cache_write_1h)?,
            part(tokens.output, rates.output)?,
        ];
        let total: i128 = parts.iter().sum();
        i64::try_from((total + 500_000) / 1_000_000).ok()
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

    fn tokens(input: Option<i64>, cached_input: Option<i64>, output: Option<i64>) -> TokenCounts {
        TokenCounts { input, cached_input, output, ..TokenCounts::default() }
    }

    fn flat(rates: Rates) -> Price {
        Price { rates, long_context: Vec::new() }
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
            assert_eq!(price.cost(&counts), expected, "{name}");
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
        assert_eq!(flat(rates).cost(&counts(100, None)), Some(base + 12 * 3000 + 100 * 3750));
        assert_eq!(flat(rates).cost(&counts(100, Some(40))), Some(base + 12 * 3000 + 60 * 3750 + 40 * 6000));
        assert_eq!(flat(rates).cost(&counts(113, None)), None, "more written than there was input");
        assert_eq!(flat(rates).cost(&counts(10, Some(11))), None, "more kept long than written");
        let unpriced = Rates { cache_write: None, ..rates };
        assert_eq!(flat(unpriced).cost(&counts(100, None)), None);
        assert_eq!(flat(unpriced).cost(&counts(0, None)), Some(base + 112 * 3000));
    }

    #[test]
    fn half_a_nano_usd_rounds_up_once_for_the_whole_call() {
        let price = flat(Rates { input: Some(37_500_000), output: Some(500_000), ..Rates::default() });
        assert_eq!(price.cost(&tokens(Some(1), None, Some(0))), Some(38));
        assert_eq!(price.cost(&tokens(Some(1), None, Some(1))), Some(38));
        assert_eq!(price.cost(&tokens(Some(2), None, Some(0))), Some(75));
    }

    #[test]
    fn long_input_changes_the_price_of_the_whole_call() {
        let rates = |input| Rates { input: Some(input), output: Some(0), ..Rates::default() };
        let tier = |above_input_tokens, input| Tier { above_input_tokens, rates: rates(input) };
        let price = Price { rates: rates(1_000_000), long_context: vec![tier(100, 2_000_000), tier(1000, 3_000_000)] };
        for (input, expected) in [(100, 100), (101, 202), (1000, 2000), (1001, 3003)] {
            assert_eq!(price.cost(&tokens(Some(input), None, Some(1))), Some(expected));
        }
    }
}
