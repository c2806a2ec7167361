//! The price of a model: of which day, for how long an input. Unknown is `None`, never 0.

use std::collections::BTreeMap;

use keyway_domain::Timestamp;

use super::{Rates, Rule, Source};

/// The price of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// Ordinary prices by date, earliest first, without a gap between them.
    pub periods: Vec<Period>,
    /// Rules that change their rates: by the terms of a call, by the clock.
    pub rules: Vec<Rule>,
    /// Fees for the provider's own tools, by the tool's name.
    pub tools: BTreeMap<String, ToolPrice>,
}

/// What the use of a tool is charged with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolPrice {
    /// Nano-USD for a thousand uses.
    pub per_thousand: i64,
    /// Where it was seen, and when.
    pub source: Source,
}

/// What a model costs in a span of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// Its start, inclusive; `None`: since ever.
    pub from: Option<Timestamp>,
    /// Its end, exclusive; `None`: until further notice.
    pub until: Option<Timestamp>,
    /// Ordinary rates.
    pub rates: Rates,
    /// Other rates for whole calls with very long input, shortest first.
    pub long_context: Vec<Tier>,
    /// Fees beside tokens.
    pub fees: Fees,
    /// Where it was seen, and when.
    pub source: Option<Source>,
}

/// The rates of every token of a call with so long an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// Input tokens of the shortest call that has them.
    pub from_input_tokens: i64,
    /// What it costs then.
    pub rates: Rates,
}

/// What is charged beside tokens, in nano-USD; `None`: unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fees {
    /// For a thousand searches of the web.
    pub web_search: Option<i64>,
    /// For a thousand calls that searched the web at all, however often; takes the place of `web_search`.
    pub grounded_prompt: Option<i64>,
    /// For a thousand units of searching documents; `None`: they are not how the model is charged.
    pub search_unit: Option<i64>,
    /// For the call itself; `None`: nothing is charged for it.
    pub per_request: Option<i64>,
}

impl Price {
    /// Gives the ordinary price of that moment; `None`: nobody said.
    #[must_use]
    pub fn at(&self, at: Timestamp) -> Option<&Period> {
        let is_in =
            |period: &&Period| period.from.is_none_or(|from| from <= at) && period.until.is_none_or(|until| at < until);
        self.periods.iter().find(is_in)
    }

    /// Writes all that a cost depends on, and nothing else.
    pub(crate) fn version_text(&self) -> String {
        let figures = |one: &Period| (one.from, one.until, one.rates, one.long_context.clone(), one.fees);
        let periods: Vec<_> = self.periods.iter().map(figures).collect();
        let rules: Vec<_> = self.rules.iter().map(|rule| (&rule.when, &rule.effect)).collect();
        let tools: Vec<_> = self.tools.iter().map(|(name, tool)| (name, tool.per_thousand)).collect();
        format!("{periods:?}{rules:?}{tools:?}")
    }
}

impl Period {
    /// Gives the rates of a call with so long an input, and whether they are those of long input.
    pub(super) fn rates(&self, input: i64) -> (&Rates, bool) {
        let tier = self.long_context.iter().rev().find(|tier| input >= tier.from_input_tokens);
        tier.map_or((&self.rates, false), |tier| (&tier.rates, true))
    }
}
