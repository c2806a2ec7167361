//! `/audit`: the audit log.

use keyway_domain::Timestamp;
use keyway_store::audit::{self, AuditKey, AuditRecord, Filter};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    answer::Answer,
    call::Call,
    cursor::{self, List},
    error::ApiError,
    openapi::words,
    view::AuditView,
};

/// Filter of the audit log.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// Action, exactly: `integration.created`.
    action: Option<String>,
    /// Id of the resource that was acted on.
    target: Option<String>,
    /// Type of the actor.
    #[param(value_type = Option<words::ActorType>)]
    actor_type: Option<String>,
    /// Earliest time, inclusive.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Latest time, exclusive.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// Page size, 1 to 200; 50 if left out.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List the tenant's audit log, newest first. That of a deleted tenant stays: name it in `Keyway-Tenant`.
#[utoipa::path(get, path = "/api/v1/audit", operation_id = "list_audit_events", tag = "audit", params(AuditQuery),
    responses((status = 200, body = List<AuditView>)))]
pub(crate) async fn list(call: Call) -> Result<Answer, ApiError> {
    let AuditQuery { action, target, actor_type, from, to, limit, cursor } = call.query()?;
    let page = cursor::page(limit, cursor.as_deref())?;
    let lines = audit::list(&call.read().await?, &Filter { action, target, actor_type, from, to }, page).await?;
    let key = |line: &AuditRecord| AuditKey { occurred_at: line.event.occurred_at, event_id: line.event_id };
    Ok(Answer::ok(&List::of(lines, key, AuditView::from)))
}
