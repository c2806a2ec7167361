//! Rules in the models file, and the models that each of them is for.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{
    Clock, Effect, Factor, Price, Rate, Rates, Rule, Source, Term, ToolPrice, When,
    clock::Weekday,
    stanza::{Dollars, check_source},
};

/// A rule for some or all models of a provider.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::catalog) struct RuleStanza {
    service_tier: Option<Vec<String>>,
    speed: Option<Vec<String>>,
    region: Option<Vec<String>>,
    weekdays: Option<Vec<Weekday>>,
    hours: Option<Vec<String>>,
    models: Option<Vec<String>>,
    multiply: Option<Factor>,
    #[serde(default)]
    unchanged: Vec<Rate>,
    #[serde(default)]
    instead: BTreeMap<Rate, Dollars>,
    #[serde(default = "yes")]
    long_context: bool,
    source: String,
    seen: String,
}

/// Fee for the use of a provider's own tool.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::catalog) struct ToolStanza {
    name: String,
    models: Option<Vec<String>>,
    per_thousand: Dollars,
    source: String,
    seen: String,
}

/// A statement about some models, or about all.
struct Said<T> {
    models: Option<Vec<String>>,
    what: T,
}

/// Adds the provider's rules to each model's price.
pub(in crate::catalog) fn add_rules<'m>(
    models: impl Iterator<Item = (&'m str, Option<&'m mut Price>)>,
    rules: Vec<RuleStanza>,
    tools: Vec<ToolStanza>,
) -> Result<(), String> {
    let rules = rules.into_iter().map(RuleStanza::check).collect::<Result<Vec<_>, _>>()?;
    let rules: Vec<_> = rules.into_iter().flatten().collect();
    let tools = tools.into_iter().map(ToolStanza::check).collect::<Result<Vec<_>, _>>()?;
    let named = rules.iter().filter_map(|rule| rule.models.as_deref());
    let named = named.chain(tools.iter().filter_map(|tool| tool.models.as_deref())).flatten();
    let mut unknown: BTreeSet<_> = named.map(String::as_str).collect();
    for (model, price) in models {
        unknown.remove(model);
        let Some(price) = price else { continue };
        let fault = |said: String| format!("two rules for {said} are for the model `{model}`");
        let of_model = said_of(&rules, model, |one, other| one.when == other.when);
        let of_model = of_model.map_err(|rule| fault(rule.when.to_string()))?;
        price.rules = of_model.into_iter().cloned().collect();
        let of_model = said_of(&tools, model, |(one, _), (other, _)| one == other);
        let of_model = of_model.map_err(|(name, _)| fault(format!("the tool `{name}`")))?;
        price.tools = of_model.into_iter().cloned().collect();
        check_rules(model, price)?;
    }
    match unknown.first() {
        Some(unknown) => Err(format!("a rule names the model `{unknown}`, which is not listed")),
        None => Ok(()),
    }
}

/// Returns the statements that name a model, or else those about all. Fails with a statement that is made twice.
fn said_of<'s, T>(all: &'s [Said<T>], model: &str, same: impl Fn(&T, &T) -> bool) -> Result<Vec<&'s T>, &'s T> {
    let is_named = |models: &Vec<String>| models.iter().any(|name| name == model);
    let mut said: Vec<&T> = Vec::new();
    for by_name in [true, false] {
        let before = said.len();
        let now = all.iter().filter(|one| one.models.as_ref().map_or(!by_name, |models| by_name && is_named(models)));
        for Said { what, .. } in now {
            match said.iter().position(|other| same(other, what)) {
                Some(at) if at < before => {}
                Some(_) => return Err(what),
                None => said.push(what),
            }
        }
    }
    Ok(said)
}

fn check_rules(model: &str, price: &Price) -> Result<(), String> {
    let clocks: Vec<_> = price.clocks().map(|(clock, _)| clock).collect();
    let overlap = |(at, clock): (usize, &Clock)| clocks[at + 1..].iter().any(|other| clock.overlaps(*other));
    if clocks.iter().enumerate().any(overlap) {
        return Err(format!("two rules by the clock hold at the same hour for the model `{model}`"));
    }
    if price.periods.len() > 1 && price.rules.iter().any(|rule| rule.effect.instead != Rates::default()) {
        return Err(format!("`instead` does not follow the dates of the model `{model}`; write `multiply`"));
    }
    Ok(())
}

impl ToolStanza {
    fn check(self) -> Result<Said<(String, ToolPrice)>, String> {
        let source = check_source(Source { source: self.source, seen: self.seen })?;
        Ok(Said { models: self.models, what: (self.name, ToolPrice { per_thousand: self.per_thousand.0, source }) })
    }
}

impl RuleStanza {
    /// Makes one rule per value of the stanza's term, or one for its hours.
    fn check(self) -> Result<Vec<Said<Rule>>, String> {
        let terms = [(Term::ServiceTier, self.service_tier), (Term::Speed, self.speed), (Term::Region, self.region)];
        let mut terms = terms.into_iter().filter_map(|(term, values)| Some((term, values?)));
        let is_by_clock = self.weekdays.is_some() || self.hours.is_some();
        let when: Vec<_> = match (terms.next(), terms.next(), is_by_clock) {
            (Some((term, values)), None, false) => values.into_iter().map(|value| When::Term(term, value)).collect(),
            (None, None, true) => vec![When::Clock(Clock::read(self.weekdays.as_deref(), self.hours.as_deref())?)],
            _ => {
                return Err("a rule holds for one of `service_tier`, `speed`, `region`, or at `hours` and `weekdays`"
                    .to_owned());
            }
        };
        if self.multiply.is_none() && self.instead.is_empty() {
            return Err("a rule says what it does: `multiply`, `instead` or both".to_owned());
        }
        if !self.instead.is_empty() && self.models.is_none() {
            return Err("a rule with `instead` names its `models`".to_owned());
        }
        let effect = Effect {
            multiply: self.multiply.unwrap_or(Factor::ONE),
            unchanged: self.unchanged,
            instead: self.instead.iter().map(|(rate, dollars)| (*rate, dollars.0)).collect(),
            long_context: self.long_context,
        };
        let source = check_source(Source { source: self.source, seen: self.seen })?;
        let rule = |when| Rule { when, effect: effect.clone(), source: source.clone() };
        Ok(when.into_iter().map(|when| Said { models: self.models.clone(), what: rule(when) }).collect())
    }
}

const fn yes() -> bool {
    true
}
