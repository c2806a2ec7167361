//! A provider's prices as rows of the tables in docs/prices.md, with the figures in their cells.

use std::collections::BTreeMap;

use keyway_domain::Timestamp;
use keyway_providers::{Effect, Fees, Model, Period, Price, ProviderSpec, Rate, Rates, Rule, When};
use serde::Serialize;

/// The tables of a provider.
#[derive(Serialize)]
pub(crate) struct Section {
    /// Name in the models file.
    pub(crate) provider: String,
    /// Display name.
    pub(crate) display_name: String,
    /// Prices of the models on ordinary terms.
    pub(crate) prices: Vec<PriceRow>,
    /// Rules that change them.
    pub(crate) rules: Vec<RuleRow>,
    /// Prices of tools.
    pub(crate) tools: Vec<ToolRow>,
}

/// A model in a span of time, on one side of a threshold.
#[derive(Serialize)]
pub(crate) struct PriceRow {
    pub(crate) model: String,
    mode: &'static str,
    from: Option<String>,
    until: Option<String>,
    from_input_tokens: Option<i64>,
    rates: BTreeMap<Rate, String>,
    fees: BTreeMap<&'static str, String>,
    /// Cells of the row in the document.
    pub(crate) cells: Vec<String>,
}

/// A rule with the models that share it.
#[derive(Serialize)]
pub(crate) struct RuleRow {
    pub(crate) models: Vec<String>,
    /// Term of the rule and its values; `None`: it goes by the clock.
    term: Option<&'static str>,
    values: Vec<String>,
    /// `true` for each hour of a week, from Monday on, in which the rule holds.
    hours: Vec<bool>,
    multiply: String,
    unchanged: Vec<Rate>,
    instead: BTreeMap<Rate, String>,
    long_context: bool,
    /// Cells of the row in the document.
    pub(crate) cells: Vec<String>,
}

/// A tool with the models that share its price.
#[derive(Serialize)]
pub(crate) struct ToolRow {
    tool: String,
    models: Vec<String>,
    per_thousand: String,
    /// Cells of the row in the document.
    pub(crate) cells: Vec<String>,
}

impl Section {
    /// Makes the tables of a provider; `None`: it has no prices.
    pub(crate) fn of(spec: &ProviderSpec) -> Option<Self> {
        let priced: Vec<_> = spec.models.iter().filter_map(|model| Some((model, model.price.as_ref()?))).collect();
        (!priced.is_empty()).then(|| Self {
            provider: spec.name.clone(),
            display_name: spec.display_name.clone(),
            prices: priced
                .iter()
                .flat_map(|(model, price)| price.periods.iter().flat_map(|it| rows(model, it)))
                .collect(),
            rules: rules(&priced),
            tools: tools(&priced),
        })
    }
}

fn rows(model: &Model, period: &Period) -> Vec<PriceRow> {
    let row = |from_input_tokens: Option<i64>, rates: &Rates| {
        let (from, until) = (period.from.map(Timestamp::day), period.until.map(Timestamp::day));
        let dates = [from.as_ref().map(|day| format!("from {day}")), until.as_ref().map(|day| format!("until {day}"))];
        let border = from_input_tokens.map(|tokens| format!("from {} tokens", thousands(tokens)));
        let case: Vec<_> = dates.into_iter().chain([border]).flatten().collect();
        let fees = if from_input_tokens.is_none() { fees(&period.fees) } else { BTreeMap::new() };
        let listed: Vec<_> = fees.iter().map(|(name, dollars)| format!("{name} {dollars}")).collect();
        let mut cells = vec![format!("`{}`", model.name), case.join(", ")];
        cells.extend(Rate::ALL.map(|rate| rates.get(rate).map(dollars).unwrap_or_default()));
        cells.push(listed.join(", "));
        let (name, mode, rates) = (model.name.clone(), model.mode.name(), by_name(rates));
        PriceRow { model: name, mode, from, until, from_input_tokens, rates, fees, cells }
    };
    let long = period.long_context.iter().map(|tier| row(Some(tier.from_input_tokens), &tier.rates));
    std::iter::once(row(None, &period.rates)).chain(long).collect()
}

fn rules(priced: &[(&Model, &Price)]) -> Vec<RuleRow> {
    let mut found: Vec<(Vec<&Rule>, Vec<String>)> = Vec::new();
    for (model, price) in priced {
        // Values of one term that do the same are one rule.
        let is_one = |one: &Rule, next: &Rule| {
            kind(&one.when).is_some() && kind(&one.when) == kind(&next.when) && one.effect == next.effect
        };
        for same in price.rules.chunk_by(is_one) {
            let is_same = |(rules, _): &&mut (Vec<&Rule>, Vec<String>)| rules.iter().copied().eq(same);
            match found.iter_mut().find(is_same) {
                Some((_, models)) => models.push(model.name.clone()),
                None => found.push((same.iter().collect(), vec![model.name.clone()])),
            }
        }
    }
    found.into_iter().filter_map(|(rules, models)| rule_row(&rules, models, priced.len())).collect()
}

/// Returns the name of the rule's term; `None`: it goes by the clock and stays apart.
fn kind(when: &When) -> Option<&'static str> {
    match when {
        When::Term(term, _) => Some(term.name()),
        When::Clock(_) => None,
    }
}

fn rule_row(rules: &[&Rule], models: Vec<String>, priced: usize) -> Option<RuleRow> {
    let first = rules.first()?;
    let Effect { multiply, unchanged, instead, long_context } = &first.effect;
    let value = |rule: &&Rule| match &rule.when {
        When::Term(_, value) => Some(value.clone()),
        When::Clock(_) => None,
    };
    let values: Vec<_> = rules.iter().filter_map(value).collect();
    let hours = match &first.when {
        // The fifth of January 1970 was a Monday.
        When::Clock(clock) => (96..96 + 168).map(|hour| clock.holds(Timestamp::from_seconds(hour * 3600))).collect(),
        When::Term(..) => Vec::new(),
    };
    let holds = match kind(&first.when) {
        Some(term) => format!("{term} {}", values.join(", ")),
        None => first.when.to_string(),
    };
    let mut does = vec![format!("x {multiply}")];
    does.extend(unchanged.iter().map(|rate| format!("{} unchanged", name(*rate))));
    does.extend(by_name(instead).iter().map(|(rate, dollars)| format!("{} {dollars}", name(*rate))));
    if !long_context {
        does.push("unknown beyond the border".to_owned());
    }
    Some(RuleRow {
        cells: vec![holds, does.join("; "), listed(&models, priced)],
        models,
        term: kind(&first.when),
        values,
        hours,
        multiply: multiply.to_string(),
        unchanged: unchanged.clone(),
        instead: by_name(instead),
        long_context: *long_context,
    })
}

fn tools(priced: &[(&Model, &Price)]) -> Vec<ToolRow> {
    let mut found: BTreeMap<(&str, i64), Vec<String>> = BTreeMap::new();
    for (model, price) in priced {
        for (tool, fee) in &price.tools {
            found.entry((tool.as_str(), fee.per_thousand)).or_default().push(model.name.clone());
        }
    }
    let row = |((tool, fee), models): ((&str, i64), Vec<String>)| {
        let cells = vec![format!("tool {tool}"), format!("{} a thousand", dollars(fee)), listed(&models, priced.len())];
        ToolRow { tool: tool.to_owned(), models, per_thousand: dollars(fee), cells }
    };
    found.into_iter().map(row).collect()
}

/// Lists their names, or says that they are all that have a price.
fn listed(models: &[String], priced: usize) -> String {
    let names: Vec<_> = models.iter().map(|model| format!("`{model}`")).collect();
    if models.len() == priced { "all".to_owned() } else { names.join(", ") }
}

fn by_name(rates: &Rates) -> BTreeMap<Rate, String> {
    Rate::ALL.into_iter().filter_map(|rate| Some((rate, dollars(rates.get(rate)?)))).collect()
}

fn fees(fees: &Fees) -> BTreeMap<&'static str, String> {
    let each = [
        ("web_search", fees.web_search),
        ("grounded_prompt", fees.grounded_prompt),
        ("search_unit", fees.search_unit),
        ("per_request", fees.per_request),
    ];
    each.into_iter().filter_map(|(name, fee)| Some((name, dollars(fee?)))).collect()
}

fn name(rate: Rate) -> String {
    serde_json::to_value(rate).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Writes an amount as the models file does.
fn dollars(nano_usd: i64) -> String {
    let text = format!("{}.{:09}", nano_usd / 1_000_000_000, nano_usd % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn thousands(count: i64) -> String {
    let digits = count.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(",")
}
