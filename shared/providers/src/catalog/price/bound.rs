//! Upper bound of a call's cost, before it is made.

use keyway_domain::{NanoUsd, PriceTerms, Timestamp};

use super::{
    Period, Price, Rate, Rates,
    cost::{MILLION, part},
    effective::Effective,
};

impl Price {
    /// Returns the highest cost in nano-USD of a call with so many tokens and web searches that asks for these terms
    /// and comes in at `at`: at the highest rates of any input length up to this one, any kind of token and the dearest
    /// hour, whether it gets the terms or ordinary ones. `None` if one of those prices is unknown.
    #[must_use]
    pub fn bound(&self, input: i64, output: i64, searches: i64, asked: &PriceTerms, at: Timestamp) -> Option<NanoUsd> {
        let period = self.at(at)?;
        let tiers = period.long_context.iter().filter(|tier| input >= tier.from_input_tokens);
        let each = std::iter::once((&period.rates, false)).chain(tiers.map(|tier| (&tier.rates, true)));
        let mut most = 0;
        for (rates, is_long) in each {
            let rates = self.highest(rates, is_long, asked)?;
            let whole = MILLION.checked_mul(rates.denominator)?;
            let parts = part(Some(input), rates.most(|rate| !rate.is_output(), Rate::Input))?
                .checked_add(part(Some(output), rates.most(Rate::is_output, Rate::Output))?)?;
            let fees = period.most_fees(searches)?.checked_add(self.tool_fees(asked)?)?;
            let total = parts.checked_add(fees.checked_mul(rates.denominator)?)?.checked_add(whole - 1)?;
            most = most.max(i64::try_from(total / whole).ok()?);
        }
        Some(most)
    }

    fn highest(&self, rates: &Rates, is_long: bool, asked: &PriceTerms) -> Option<Effective> {
        let rules = self.asked(asked, is_long)?.into_iter().chain(self.clocks().map(|(_, rule)| rule));
        let mut highest = Effective::from(rates);
        for rule in rules {
            highest = highest.at_most_after(&rule.effect, is_long)?;
        }
        Some(highest)
    }
}

impl Period {
    /// Sums the highest fees, in millionths of a nano-USD.
    fn most_fees(&self, searches: i64) -> Option<i128> {
        // Nobody can tell from a body into how many units its documents are split.
        let is_by_units = self.fees.search_unit.is_some_and(|price| price > 0);
        if is_by_units { None } else { self.fees.of_call(searches) }
    }
}

impl Effective {
    /// Returns the highest rate among the kinds that `of` accepts; `None` if that of `plain`, which every call has, is
    /// unknown.
    fn most(&self, of: impl Fn(Rate) -> bool, plain: Rate) -> Option<i128> {
        self.get(plain)?;
        Rate::ALL.into_iter().filter(|rate| of(*rate)).filter_map(|rate| self.get(rate)).max()
    }
}

#[cfg(test)]
#[path = "bound_tests.rs"]
mod tests;
