//! Prices in whole nano-USD, by date, input length and terms. Never a float; an unknown price is `None`, never 0.

mod bound;
mod clock;
mod cost;
mod effective;
mod factor;
mod rates;
mod rule;
mod rule_stanza;
mod stanza;

use std::collections::BTreeMap;

use keyway_domain::Timestamp;
use serde::Deserialize;

pub use clock::Clock;
pub use factor::Factor;
pub use rates::{Rate, Rates};
pub use rule::{Effect, Rule, Term, When};
pub(super) use rule_stanza::{RuleStanza, ToolStanza, add_rules};
pub(super) use stanza::{PriceStanza, check_source, read};

/// The price of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// Ordinary prices by date, earliest first, without a gap between them.
    pub periods: Vec<Period>,
    /// Rules that change the rates, by the terms of a call or by the clock.
    pub rules: Vec<Rule>,
    /// Fees for the provider's own tools, by the tool's name.
    pub tools: BTreeMap<String, ToolPrice>,
}

/// Fee for the use of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolPrice {
    /// Nano-USD per thousand uses.
    pub per_thousand: i64,
    /// Source of the figure.
    pub source: Source,
}

/// Prices of a model in a span of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// Start, inclusive; `None`: unbounded.
    pub from: Option<Timestamp>,
    /// End, exclusive; `None`: until further notice.
    pub until: Option<Timestamp>,
    /// Ordinary rates.
    pub rates: Rates,
    /// Rates of whole calls with very long input, shortest first.
    pub long_context: Vec<Tier>,
    /// Fees beside tokens.
    pub fees: Fees,
    /// Source of the figures.
    pub source: Option<Source>,
}

/// Rates of every token of a call with at least so long an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// Input tokens of the shortest such call.
    pub from_input_tokens: i64,
    /// Rates of such a call.
    pub rates: Rates,
}

/// Fees beside tokens, in nano-USD; `None`: unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fees {
    /// Fee per thousand web searches.
    pub web_search: Option<i64>,
    /// Fee per thousand calls with any web search; replaces `web_search`.
    pub grounded_prompt: Option<i64>,
    /// Fee per thousand search units; `None`: the model is not charged by them.
    pub search_unit: Option<i64>,
    /// Fee per call; `None`: there is none.
    pub per_request: Option<i64>,
}

/// Source of a figure.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Name of a price list, or a URL.
    pub source: String,
    /// Day on which it was read, `2026-11-28`.
    pub seen: String,
}

impl Price {
    /// Returns the ordinary price of that moment; `None`: unknown.
    #[must_use]
    pub fn at(&self, at: Timestamp) -> Option<&Period> {
        let is_in =
            |period: &&Period| period.from.is_none_or(|from| from <= at) && period.until.is_none_or(|until| at < until);
        self.periods.iter().find(is_in)
    }

    /// Writes everything that a cost depends on, and nothing else, as text to hash.
    pub(in crate::catalog) fn version_text(&self) -> String {
        let figures = |one: &Period| (one.from, one.until, one.rates, one.long_context.clone(), one.fees);
        let periods: Vec<_> = self.periods.iter().map(figures).collect();
        let rules: Vec<_> = self.rules.iter().map(|rule| (&rule.when, &rule.effect)).collect();
        let tools: Vec<_> = self.tools.iter().map(|(name, tool)| (name, tool.per_thousand)).collect();
        format!("{periods:?}{rules:?}{tools:?}")
    }
}

impl Period {
    /// Returns the rates for so long an input, and `true` if they are those of long input.
    pub(super) fn rates(&self, input: i64) -> (&Rates, bool) {
        let tier = self.long_context.iter().rev().find(|tier| input >= tier.from_input_tokens);
        tier.map_or((&self.rates, false), |tier| (&tier.rates, true))
    }
}
