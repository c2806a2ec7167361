//! `/usage`: usage as metered by the proxy and as reported by providers.

use std::{collections::BTreeMap, time::Duration};

use keyway_domain::{IntegrationId, Ledger, ProjectId, Timestamp, VirtualKeyId};
use keyway_store::{
    HOURS_KEPT, Only, TenantTx,
    usage_report::{self, GroupBy, GroupKey, MAX_GROUPS, ReportQuery},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    answer::Answer,
    body,
    call::Call,
    code::Code,
    commands::fetch_usage::FetchUsage,
    cursor::{self, List},
    error::ApiError,
    groupings::{GROUPINGS, OWN_GROUPINGS},
    openapi::words,
    provider_names,
    view::{Started, UsageView},
};

const DAY_MS: i64 = 86_400_000;
const DEFAULT_DAYS: i64 = 30;
const DEFAULT_DAYS_BY_HOUR: i64 = 1;
const MAX_DAYS: i64 = 400;
const MAX_FETCH_DAYS: i64 = 92;
const DEFAULT_FETCH_DAYS: i64 = 7;
/// Time by which a caller's clock may be ahead of ours.
const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// Parameters of a report.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UsageQuery {
    /// First day or time (`2026-11-01` or RFC 3339), inclusive; rounded to whole UTC days, or hours if it is split by
    /// them. 30 days ago if left out, with hours one.
    from: Option<String>,
    /// End, exclusive; now if left out. A day or hour that has begun counts as a whole.
    to: Option<String>,
    /// Provider's name.
    provider: Option<String>,
    /// Project.
    #[param(value_type = Option<words::ProjectId>)]
    project_id: Option<ProjectId>,
    /// Integration.
    #[param(value_type = Option<words::IntegrationId>)]
    integration_id: Option<IntegrationId>,
    /// Virtual key; for the metered ledger alone, as providers do not know it.
    #[param(value_type = Option<words::VirtualKeyId>)]
    virtual_key_id: Option<VirtualKeyId>,
    /// Columns to split by: repeated, or several separated by commas. Hours are kept for 14 days, of the metered ledger
    /// alone.
    #[param(value_type = Option<Vec<words::GroupBy>>)]
    group_by: Option<String>,
    /// Ledger, `metered` if left out; both: repeated, or separated by a comma. Never add them up: they count the same
    /// calls.
    #[param(value_type = Option<Vec<words::Ledger>>)]
    ledger: Option<String>,
    /// Page size, 1 to 10000, of the metered ledger alone. Left out, the report is whole: 422 above 10000 groups.
    #[param(minimum = 1, maximum = 10_000)]
    limit: Option<u64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Parameters of an application's report of its own usage.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OwnUsageQuery {
    /// First day or time (`2026-11-01` or RFC 3339), inclusive; rounded to whole UTC days, or hours if it is split by
    /// them. 30 days ago if left out, with hours one.
    from: Option<String>,
    /// End, exclusive; now if left out. A day or hour that has begun counts as a whole.
    to: Option<String>,
    /// Provider's name.
    provider: Option<String>,
    /// Columns to split by, of `provider`, `model`, `day` and `hour`: repeated, or several separated by commas.
    #[param(value_type = Option<Vec<words::OwnGroupBy>>)]
    group_by: Option<String>,
}

/// Scope of a fetch.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FetchInput {
    /// Start, inclusive; 7 days ago if left out.
    #[schema(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// End, exclusive; now if left out.
    #[schema(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// Integration to fetch; every active one if left out.
    #[schema(value_type = Option<words::IntegrationId>)]
    integration_id: Option<IntegrationId>,
    /// Name of the provider whose active integrations are fetched; all providers if left out.
    #[schema(example = "openai")]
    provider: Option<String>,
}

/// Sum usage by day, model, provider and so on.
#[utoipa::path(get, path = "/api/v1/usage", operation_id = "get_usage", tag = "usage", params(UsageQuery),
    responses((status = 200, body = List<UsageView>)))]
pub(crate) async fn report(call: Call) -> Result<Answer, ApiError> {
    let query: UsageQuery = body::query(&joined(&call.query, &["group_by", "ledger"]))?;
    let group_by = grouped(query.group_by.as_deref(), &GROUPINGS)?;
    let (from, to) = span(query.from.as_deref(), query.to.as_deref(), &group_by)?;
    let ledgers = listed(query.ledger.as_deref().or(Some("metered")), ledger)
        .ok_or_else(|| ApiError::parameter("`ledger` must be metered, reported, or both separated by a comma"))?;
    let (project_id, integration_id, virtual_key_id) = (query.project_id, query.integration_id, query.virtual_key_id);
    let is_reported = ledgers.contains(&Ledger::Reported);
    let has_pages = !is_reported && (query.limit.is_some() || query.cursor.is_some());
    if virtual_key_id.is_some() && is_reported {
        return Err(ApiError::parameter("`virtual_key_id` is for the metered ledger: providers know nothing of it"));
    }
    if group_by.contains(&GroupBy::Hour) && is_reported {
        return Err(ApiError::parameter("hours are for the metered ledger: what providers report is kept by day"));
    }
    let page = cursor::part(query.limit.unwrap_or(MAX_GROUPS), MAX_GROUPS, query.cursor.as_deref())?;
    let within = call.by.within(project_id)?;
    let only = Only { provider: query.provider, project_id, within, integration_id, virtual_key_id };
    let (ledger, groups) = (Ledger::Metered, page.limit);
    let asked = ReportQuery { from, to, group_by, ledger, only, after: page.after, groups };
    let tx = call.read().await?;
    let mut report = List::whole(Vec::new());
    for ledger in ledgers {
        let part = summed(&tx, &ReportQuery { ledger, ..asked.clone() }, has_pages).await?;
        report = List { items: report.items.into_iter().chain(part.items).collect(), next_cursor: part.next_cursor };
    }
    if report.items.is_empty() && asked.after.is_none() {
        provider_names::require_known(&asked.only, &call.app.catalog.now(), &tx).await?;
    }
    Ok(Answer::ok(&report))
}

/// Sum the metered usage of the virtual key that asks, and of no other.
#[utoipa::path(get, path = "/api/v1/me/usage", operation_id = "get_own_usage", tag = "usage", params(OwnUsageQuery),
    responses((status = 200, body = List<UsageView>)))]
pub(crate) async fn own(call: Call) -> Result<Answer, ApiError> {
    let query: OwnUsageQuery = body::query(&joined(&call.query, &["group_by"]))?;
    let group_by = grouped(query.group_by.as_deref(), &OWN_GROUPINGS)?;
    let (from, to) = span(query.from.as_deref(), query.to.as_deref(), &group_by)?;
    let virtual_key_id = Some(call.by.virtual_key()?);
    let only = Only { provider: query.provider, virtual_key_id, ..Only::default() };
    let (ledger, groups) = (Ledger::Metered, MAX_GROUPS);
    let asked = ReportQuery { from, to, group_by, ledger, only, after: None, groups };
    Ok(Answer::ok(&summed(&call.read().await?, &asked, false).await?))
}

/// Fetch usage from the providers now. Watch the operation.
#[utoipa::path(post, path = "/api/v1/usage/fetch", operation_id = "fetch_usage", tag = "usage", request_body = FetchInput,
    responses((status = 202, body = Started), (status = 404, description = "no such integration")))]
pub(crate) async fn fetch(call: Call) -> Result<Answer, ApiError> {
    let FetchInput { from, to, integration_id, provider } = call.json_or_default()?;
    if integration_id.is_some() && provider.is_some() {
        return Err(ApiError::field("give `integration_id` or `provider`, not both"));
    }
    let now = Timestamp::now();
    let to = to.unwrap_or(now);
    if to > now.after(CLOCK_SKEW) {
        return Err(ApiError::field("`to` must not be in the future"));
    }
    let from = from.unwrap_or_else(|| default_from(to));
    check_span(from, to, MAX_FETCH_DAYS).map_err(ApiError::field)?;
    call.commit(FetchUsage { from, to, integration_id, provider }).await
}

/// Returns the span of a report.
fn span(from: Option<&str>, to: Option<&str>, group_by: &[GroupBy]) -> Result<(Timestamp, Timestamp), ApiError> {
    let (now, by_hour) = (Timestamp::now(), group_by.contains(&GroupBy::Hour));
    let to = to.map(|text| time("to", text)).transpose()?.unwrap_or(now);
    let days = if by_hour { DEFAULT_DAYS_BY_HOUR } else { DEFAULT_DAYS };
    let default_from = Timestamp::from_ms(to.ms() - days * DAY_MS);
    let from = from.map(|text| time("from", text)).transpose()?.unwrap_or(default_from);
    check_span(from, to, MAX_DAYS).map_err(ApiError::parameter)?;
    if by_hour && from < now.before(HOURS_KEPT) {
        return Err(ApiError::parameter("hours are kept for 14 days: ask for a later `from`, or for days"));
    }
    Ok((from, to))
}

/// Returns the columns that a report is split by.
fn grouped(text: Option<&str>, known: &[(&str, GroupBy)]) -> Result<Vec<GroupBy>, ApiError> {
    let read = |word: &str| known.iter().find(|(name, _)| *name == word).map(|(_, by)| *by);
    listed(text, read).ok_or_else(|| {
        let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
        ApiError::parameter(format!("`group_by` takes any of {}, separated by commas", names.join(", ")))
    })
}

/// Sums one ledger; more groups than a page holds are an error where no page can follow.
async fn summed(tx: &TenantTx, query: &ReportQuery, has_pages: bool) -> Result<List<UsageView>, ApiError> {
    if query.after.as_ref().is_some_and(|after| !has_pages || !query.has_key(after)) {
        return Err(ApiError::parameter("`cursor` is of another report; begin again without it"));
    }
    let found = usage_report::report(tx, query).await?;
    if found.more && !has_pages {
        let message = format!("there are more than {} groups; ask for a shorter time or fewer groupings", query.groups);
        return Err(ApiError::new(Code::TooManyGroups, message));
    }
    let next: Option<GroupKey> = found.items.last().filter(|_| found.more).map(|group| query.key_of(group));
    let show = |group| UsageView::of(query.ledger, group, &query.group_by);
    Ok(List::going_on(found.items.into_iter().map(show).collect(), next))
}

/// Returns the default start of a fetch.
pub(crate) const fn default_from(to: Timestamp) -> Timestamp {
    Timestamp::from_ms(to.ms() - DEFAULT_FETCH_DAYS * DAY_MS)
}

/// Parses a day or a time of a query.
pub(super) fn time(field: &'static str, text: &str) -> Result<Timestamp, ApiError> {
    let day = || Timestamp::parse(&format!("{text}T00:00:00Z"));
    Timestamp::parse(text).or_else(day).ok_or_else(|| {
        ApiError::parameter(format!("`{field}` must be a day or a time: 2026-11-01 or 2026-11-01T00:00:00Z"))
    })
}

/// Checks that a span is neither empty nor too long.
pub(super) fn check_span(from: Timestamp, to: Timestamp, max_days: i64) -> Result<(), String> {
    if from >= to {
        return Err("`from` must be before `to`".to_owned());
    }
    if to.ms().saturating_sub(from.ms()) > max_days * DAY_MS {
        return Err(format!("`from` and `to` may be at most {max_days} days apart"));
    }
    Ok(())
}

/// Returns each word of a comma-separated list once; `None` if one is unknown.
fn listed<T: PartialEq>(text: Option<&str>, read: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    let mut values = Vec::new();
    for word in text.unwrap_or_default().split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let value = read(word)?;
        if !values.contains(&value) {
            values.push(value);
        }
    }
    Some(values)
}

/// Rewrites a query so that each of these parameters stands once, with all its values: generated clients repeat a
/// parameter, people write commas.
fn joined(query: &str, names: &[&str]) -> String {
    let mut values: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut joined = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match names.iter().find(|known| **known == name) {
            Some(known) => values.entry(known).or_default().push(value.into_owned()),
            None => drop(joined.append_pair(&name, &value)),
        }
    }
    for (name, values) in values {
        joined.append_pair(name, &values.join(","));
    }
    joined.finish()
}

fn ledger(word: &str) -> Option<Ledger> {
    [Ledger::Metered, Ledger::Reported].into_iter().find(|ledger| ledger.name() == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_is_repeated_is_one_with_commas() {
        for (query, expected) in [
            ("from=a&group_by=model", "from=a&group_by=model"),
            ("group_by=model&from=a&group_by=day,project", "from=a&group_by=model%2Cday%2Cproject"),
            ("ledger=metered&ledger=reported", "ledger=metered%2Creported"),
            ("from=a&from=b", "from=a&from=b"),
            ("", ""),
        ] {
            assert_eq!(joined(query, &["group_by", "ledger"]), expected);
        }
    }
}
