//! Rates after the applicable rules, exact: integers over one denominator.

use keyway_domain::{PriceTerms, Timestamp};

use super::{
    Period, Price, Rate, Rates, Rule, When,
    rule::{Effect, Term},
};

/// Rates in parts of a nano-USD, per million tokens.
#[derive(Clone, Copy)]
pub(super) struct Effective {
    rates: [Option<i128>; Rate::ALL.len()],
    /// Number of parts in one nano-USD.
    pub(super) denominator: i128,
}

impl Price {
    /// Applies the rules that hold for a call on these terms at that moment; `None`: a term has no rule.
    pub(super) fn effective(
        &self,
        period: &Period,
        input: i64,
        terms: &PriceTerms,
        at: Timestamp,
    ) -> Option<Effective> {
        let (rates, is_long) = period.rates(input);
        let mut effective = Effective::from(rates);
        for rule in self.asked(terms, is_long)? {
            effective = effective.after(&rule.effect, is_long)?;
        }
        for rule in self.clocks().filter(|(clock, _)| clock.holds(at)).map(|(_, rule)| rule) {
            effective = effective.after(&rule.effect, is_long)?;
        }
        Some(effective)
    }

    /// Returns the rule of each term that is not ordinary; `None`: a term has no rule.
    pub(super) fn asked(&self, terms: &PriceTerms, is_long: bool) -> Option<Vec<&Rule>> {
        let values = Term::ALL.into_iter().filter_map(|term| Some((term, term.of(terms)?)));
        let rule = |(term, value): (Term, &str)| {
            let holds = |rule: &&Rule| matches!(&rule.when, When::Term(of, one) if *of == term && one == value);
            self.rules.iter().find(holds).filter(|rule| !is_long || rule.effect.long_context)
        };
        values.map(rule).collect()
    }

    /// Returns the rules that depend on the clock.
    pub(super) fn clocks(&self) -> impl Iterator<Item = (super::Clock, &Rule)> {
        self.rules.iter().filter_map(|rule| match rule.when {
            When::Clock(clock) => Some((clock, rule)),
            When::Term(..) => None,
        })
    }
}

impl Effective {
    /// Returns the rate of that kind, in parts of a nano-USD per million tokens.
    pub(super) const fn get(&self, rate: Rate) -> Option<i128> {
        self.rates[rate as usize]
    }

    /// Applies a rule. `None`: the numbers overflow.
    pub(super) fn after(&self, effect: &Effect, is_long: bool) -> Option<Self> {
        let denominator = self.denominator.checked_mul(effect.multiply.denominator)?;
        let mut rates = self.rates;
        for rate in Rate::ALL {
            let instead = effect.instead.get(rate).filter(|_| !is_long);
            let is_unchanged = effect.unchanged.contains(&rate);
            let factor = if is_unchanged { effect.multiply.denominator } else { effect.multiply.numerator };
            rates[rate as usize] = match (instead, self.get(rate)) {
                (Some(instead), _) => Some(i128::from(instead).checked_mul(denominator)?),
                (None, Some(ordinary)) => Some(ordinary.checked_mul(factor)?),
                (None, None) => None,
            };
        }
        Some(Self { rates, denominator })
    }

    /// Applies a rule that may or may not hold: takes the higher of both rates. `None`: the numbers overflow.
    pub(super) fn at_most_after(&self, effect: &Effect, is_long: bool) -> Option<Self> {
        let mut after = self.after(effect, is_long)?;
        for (after, before) in after.rates.iter_mut().zip(self.rates) {
            let before = before.map(|before| before.checked_mul(effect.multiply.denominator));
            *after = (*after).max(match before {
                Some(before) => Some(before?),
                None => None,
            });
        }
        Some(after)
    }
}

impl From<&Rates> for Effective {
    fn from(rates: &Rates) -> Self {
        Self { rates: Rate::ALL.map(|rate| rates.get(rate).map(i128::from)), denominator: 1 }
    }
}
