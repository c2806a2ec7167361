//! `/usage/drift`: usage that providers report for keys, beside the metered calls.

use keyway_domain::{IntegrationId, Timestamp};
use keyway_store::drift::{self, Days, Drift, LineKey, MAX_LINES};
use serde::Deserialize;
use utoipa::IntoParams;

use super::usage;
use crate::{
    answer::Answer,
    call::Call,
    cursor::{self, List},
    error::ApiError,
    openapi::words,
    view::DriftView,
};

const DEFAULT_DAYS: i64 = 7;
const MAX_DAYS: i64 = 92;
const DAY_MS: i64 = 86_400_000;

/// Range of days.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DriftQuery {
    /// First day or time, inclusive; 7 days before `to` if left out.
    from: Option<String>,
    /// End, exclusive, a day or time; now if left out.
    to: Option<String>,
    /// Integration; all if left out.
    #[param(value_type = Option<words::IntegrationId>)]
    integration_id: Option<IntegrationId>,
    /// Page size, 1 to 10000; 10000 if left out.
    #[param(minimum = 1, maximum = 10_000)]
    limit: Option<u64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Compare the usage that providers report for keys with the metered calls, by day and integration.
#[utoipa::path(get, path = "/api/v1/usage/drift", operation_id = "list_usage_drift", tag = "usage", params(DriftQuery),
    responses((status = 200, body = List<DriftView>)))]
pub(crate) async fn list(call: Call) -> Result<Answer, ApiError> {
    let query: DriftQuery = call.query()?;
    let to = query.to.as_deref().map(|text| usage::time("to", text)).transpose()?.unwrap_or_else(Timestamp::now);
    let default_from = Timestamp::from_ms(to.ms() - DEFAULT_DAYS * DAY_MS);
    let from = query.from.as_deref().map(|text| usage::time("from", text)).transpose()?.unwrap_or(default_from);
    usage::check_span(from, to, MAX_DAYS).map_err(ApiError::parameter)?;
    let days = Days { from: from.day(), to: Timestamp::from_ms(to.ms() - 1).day() };
    let page = cursor::part::<LineKey>(query.limit.unwrap_or(MAX_LINES), MAX_LINES, query.cursor.as_deref())?;
    let within = call.by.within(None)?;
    let tx = call.read().await?;
    let found = drift::report(&tx, &days, query.integration_id, within.as_deref(), page).await?;
    let percent = call.app.drift_percent;
    let key = |line: &Drift| LineKey { day: line.day.clone(), integration_id: line.integration_id };
    Ok(Answer::ok(&List::of(found, key, |line| DriftView::of(line, percent))))
}
