//! What changes the rates of a call: the terms it was served on, or the hour it came in at.

use std::fmt;

use keyway_domain::PriceTerms;

use super::{Clock, Factor, Rate, Rates, Source};

/// One rule of a model's price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// When it holds.
    pub when: When,
    /// What it does.
    pub effect: Effect,
    /// Where it was seen, and when.
    pub source: Source,
}

/// When a rule holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// The call was served on this term.
    Term(Term, String),
    /// The call came in at one of these hours.
    Clock(Clock),
}

/// A term of a price, of which a call has one value or the ordinary one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// `priority`, `flex`, `batch`.
    ServiceTier,
    /// `fast`.
    Speed,
    /// `us`.
    Region,
}

/// What a rule does to rates; fees beside tokens stay as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// What the rates are multiplied by.
    pub multiply: Factor,
    /// Those that are not.
    pub unchanged: Vec<Rate>,
    /// Those that are these instead, up to the border of long input.
    pub instead: Rates,
    /// Whether the rule is known to hold beyond the border of long input, too.
    pub long_context: bool,
}

impl Term {
    /// Every term.
    pub const ALL: [Self; 3] = [Self::ServiceTier, Self::Speed, Self::Region];

    /// Gives the text in the models file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ServiceTier => "service_tier",
            Self::Speed => "speed",
            Self::Region => "region",
        }
    }

    /// Gives its value; `None`: the ordinary one.
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
