//! Prices in whole nano-USD per million tokens, and what tokens cost by them. Never a float; an
//! unknown part makes the whole cost unknown.

use keyway_domain::{NanoUsd, TokenCounts};

/// The price of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// Nano-USD for a million input tokens that were not cached.
    pub input: Option<i64>,
    /// Nano-USD for a million input tokens read from the provider's cache.
    pub cached_input: Option<i64>,
    /// Nano-USD for a million output tokens.
    pub output: Option<i64>,
    /// Other prices for whole calls with very long input, shortest first.
    pub long_context: Vec<Tier>,
}

/// The price of every token of a call whose input is longer than `above_input_tokens`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tier {
    /// The tier applies above this many input tokens.
    pub above_input_tokens: i64,
    /// As [`Price::input`].
    pub input: Option<i64>,
    /// As [`Price::cached_input`].
    pub cached_input: Option<i64>,
    /// As [`Price::output`].
    pub output: Option<i64>,
}

impl Price {
    /// What one call with these tokens costs, rounded half up to a nano-USD. `None` when a count or
    /// a price that matters is unknown; a kind of token that did not occur needs no price, and a
    /// kind that is free needs no count.
    #[must_use]
    pub fn cost(&self, tokens: &TokenCounts) -> Option<NanoUsd> {
        let input = tokens.input?;
        let cached = tokens.cached_input.unwrap_or(0);
        let fresh = input.checked_sub(cached)?;
        let tier = self.long_context.iter().rev().find(|tier| input > tier.above_input_tokens);
        let (per_input, per_cached, per_output) = tier
            .map_or((self.input, self.cached_input, self.output), |tier| (tier.input, tier.cached_input, tier.output));
        let parts = [part(Some(fresh), per_input)?, part(Some(cached), per_cached)?, part(tokens.output, per_output)?];
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
        TokenCounts { input, cached_input, output, reasoning: None }
    }

    #[test]
    fn a_cost_is_exact_and_unknown_is_never_zero() {
        let mini = Price {
            input: Some(150_000_000),
            cached_input: Some(75_000_000),
            output: Some(600_000_000),
            long_context: vec![],
        };
        let embedding = Price { input: Some(20_000_000), output: Some(0), ..Price::default() };
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
    fn half_a_nano_usd_rounds_up_once_for_the_whole_call() {
        let price = Price { input: Some(37_500_000), output: Some(500_000), ..Price::default() };
        assert_eq!(price.cost(&tokens(Some(1), None, Some(0))), Some(38));
        assert_eq!(price.cost(&tokens(Some(1), None, Some(1))), Some(38));
        assert_eq!(price.cost(&tokens(Some(2), None, Some(0))), Some(75));
    }

    #[test]
    fn long_input_changes_the_price_of_the_whole_call() {
        let tier = |above_input_tokens, input| Tier {
            above_input_tokens,
            input: Some(input),
            cached_input: None,
            output: Some(0),
        };
        let price = Price {
            input: Some(1_000_000),
            output: Some(0),
            long_context: vec![tier(100, 2_000_000), tier(1000, 3_000_000)],
            ..Price::default()
        };
        for (input, expected) in [(100, 100), (101, 202), (1000, 2000), (1001, 3003)] {
            assert_eq!(price.cost(&tokens(Some(input), None, Some(1))), Some(expected));
        }
    }
}
