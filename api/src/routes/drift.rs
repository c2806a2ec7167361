//! `/usage/drift`: usage that providers report for keys, beside the metered calls.

use keyway_domain::Timestamp;
use keyway_store::drift::{self, Days, MAX_LINES};
use serde::Deserialize;
use utoipa::IntoParams;

use super::usage;
use crate::{answer::Answer, call::Call, code::Code, cursor::List, error::ApiError, view::DriftView};

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
    let lines = drift::report(&call.read().await?, &days, call.by.within(None)?.as_deref()).await?;
    if lines.len() as u64 > MAX_LINES {
        let message = format!("there are more than {MAX_LINES} lines; ask for a shorter time");
        return Err(ApiError::new(Code::TooManyGroups, message));
    }
    let percent = call.app.drift_percent;
    Ok(Answer::ok(&List::whole(lines.into_iter().map(|line| DriftView::of(line, percent)).collect())))
}
