//! `/requests`: single proxied calls, as the metered ledger keeps them. Bodies are kept nowhere.

use std::ops::RangeInclusive;

use keyway_domain::{CallOutcome, CredentialSource, IntegrationId, ProjectId, RequestId, Timestamp, VirtualKeyId};
use keyway_store::{
    Only,
    request_log::{self, Filter},
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    answer::Answer,
    call::Call,
    cursor::{self, List},
    error::ApiError,
    openapi::words,
    provider_names,
    view::RequestView,
};

/// Filter of calls.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RequestQuery {
    /// Project.
    #[param(value_type = Option<words::ProjectId>)]
    project_id: Option<ProjectId>,
    /// Virtual key that made the call.
    #[param(value_type = Option<words::VirtualKeyId>)]
    virtual_key_id: Option<VirtualKeyId>,
    /// Integration that served the call.
    #[param(value_type = Option<words::IntegrationId>)]
    integration_id: Option<IntegrationId>,
    /// Source of the secret: the project's own (`own`), or the operator's (`fallback`).
    #[param(value_type = Option<words::Credential>)]
    credential: Option<CredentialSource>,
    /// Name of the provider that served the call.
    provider: Option<String>,
    /// Model.
    model: Option<String>,
    /// HTTP status of the answer, or a class of them: `429`, `5xx`.
    http_status: Option<String>,
    /// Outcome: `completed`, `broken_off`, `settled` or `refused`.
    #[param(value_type = Option<words::CallOutcome>)]
    outcome: Option<CallOutcome>,
    /// Code of Keyway's own refusal: `budget_exceeded`.
    refused_code: Option<String>,
    /// Earliest arrival, inclusive.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Latest arrival, exclusive.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// Page size, 1 to 200; 50 if left out.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List the tenant's proxied calls, newest first. A page looks at 10,000 calls at most: where few of them are what was
/// asked for it holds fewer items than `limit`, or none, and `next_cursor` goes on behind them.
#[utoipa::path(get, path = "/api/v1/requests", operation_id = "list_requests", tag = "usage", params(RequestQuery),
    responses((status = 200, body = List<RequestView>)))]
pub(crate) async fn list(call: Call) -> Result<Answer, ApiError> {
    let query: RequestQuery = call.query()?;
    let page = cursor::page(query.limit, query.cursor.as_deref())?;
    let filter = Filter {
        only: Only {
            provider: query.provider,
            project_id: query.project_id,
            within: call.by.within(query.project_id)?,
            integration_id: query.integration_id,
            virtual_key_id: query.virtual_key_id,
        },
        credential: query.credential,
        model: query.model,
        status: query.http_status.as_deref().map(statuses).transpose()?,
        outcome: query.outcome,
        refused_code: query.refused_code,
        from: query.from,
        to: query.to,
    };
    let (tx, is_first) = (call.read().await?, page.after.is_none());
    let found = request_log::list(&tx, &filter, page).await?;
    if found.items.is_empty() && is_first {
        provider_names::require_known(&filter.only, &call.app.catalog.now(), &tx).await?;
    }
    let items = found.items.into_iter().map(RequestView::from).collect();
    Ok(Answer::ok(&List::going_on(items, found.next)))
}

/// Show a proxied call.
#[utoipa::path(get, path = "/api/v1/requests/{id}", operation_id = "get_request", tag = "usage", params(("id" = inline(words::RequestId), Path)),
    responses((status = 200, body = RequestView)))]
pub(crate) async fn detail(call: Call) -> Result<Answer, ApiError> {
    let id: RequestId = call.id("request")?;
    let found = request_log::find(&call.read().await?, id).await?.ok_or_else(|| ApiError::not_found("request"))?;
    call.by.check_project(found.call.project_id, "request")?;
    Ok(Answer::ok(&RequestView::from(found)))
}

/// Parses `429` or `4xx` as a range of statuses.
fn statuses(text: &str) -> Result<RangeInclusive<u16>, ApiError> {
    let class = text.strip_suffix("xx").and_then(|class| class.parse().ok()).filter(|class| (1..=5).contains(class));
    let class = class.map(|class: u16| class * 100..=class * 100 + 99);
    let one = || text.parse().ok().filter(|status| (100..=599).contains(status)).map(|status| status..=status);
    class.or_else(one).ok_or_else(|| ApiError::parameter("`http_status` must be a status like 429 or a class like 4xx"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_or_a_class() {
        for (text, expected) in [("429", 429..=429), ("4xx", 400..=499), ("100", 100..=100), ("5xx", 500..=599)] {
            assert_eq!(statuses(text).unwrap(), expected);
        }
        for bad in ["", "xx", "0xx", "6xx", "42", "600", "4x", "-1", "4xxx"] {
            assert!(statuses(bad).is_err(), "{bad}");
        }
    }
}
