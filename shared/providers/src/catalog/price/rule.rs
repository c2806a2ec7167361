//! Rules that change the rates of a call, by the terms it was served on or the hour it came in at.

use std::fmt;

use keyway_domain::PriceTerms;

use super::{Clock, Factor, Rate, Rates, Source};

/// One rule of a model's price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Condition of the rule.
    pub when: When,
    /// Effect of the rule.
    pub effect: Effect,
    /// Source of the rule.
    pub source: Source,
}

/// Condition of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// The call was served on this term.
    Term(Term, String),
    /// The call came in at one of these hours.
    Clock(Clock),
}

/// A term of a price; each call has one value of it, or the ordinary one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// `priority`, `flex`, `batch`.
    ServiceTier,
    /// `fast`.
    Speed,
    /// `us`.
    Region,
}

/// Effect of a rule on rates; fees beside tokens do not change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Factor of the rates.
    pub multiply: Factor,
    /// Rates that the factor leaves unchanged.
    pub unchanged: Vec<Rate>,
    /// Rates that replace the ordinary ones, up to the threshold of long input.
    pub instead: Rates,
    /// `true` if the rule is known to hold for long input as well.
    pub long_context: bool,
}

impl Term {
    /// All terms.
    pub const ALL: [Self; 3] = [Self::ServiceTier, Self::Speed, Self::Region];

    /// Returns the name in the models file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ServiceTier => "service_tier",
            Self::Speed => "speed",
            Self::Region => "region",
        }
    }

    /// Returns the term's value in `terms`; `None`: the ordinary one.
    #[must_use]
    pub fn of(self, terms: &PriceTerms) -> Option<&str> {
        match self {
            Self::ServiceTier => terms.service_tier.as_deref(),
            Self::Speed => terms.speed.as_deref(),
            Self::Region => terms.region.as_deref(),
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Term(term, value) => write!(f, "{} `{value}`", term.name()),
            Self::Clock(clock) => write!(f, "{clock}"),
        }
    }
}
