//! `/audit`: who did what to which thing, and how it ended.

use keyway_domain::{Actor, AuditOutcome, MessageId, RequestId, Timestamp};
use keyway_store::audit::{self, AuditKey, AuditRecord, Filter};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    answer::Answer,
    call::Call,
    cursor::{self, List},
    error::ApiError,
    openapi::words,
};

/// One line of the audit log.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditView {
    #[schema(value_type = words::MessageId)]
    id: MessageId,
    /// What was done.
    #[schema(example = "integration.created")]
    action: String,
    /// Who did it: `{"type": "admin"}`, or a virtual key or part of Keyway.
    #[schema(value_type = Object)]
    actor: Actor,
    /// The id of the thing it was done to.
    target: String,
    /// How it ended.
    #[schema(value_type = words::AuditOutcome)]
    outcome: AuditOutcome,
    #[schema(value_type = String, format = DateTime)]
    occurred_at: Timestamp,
    /// The HTTP request, where there was one.
    #[schema(value_type = Option<words::RequestId>)]
    request_id: Option<RequestId>,
    /// Field names with their new values; never a secret.
    #[schema(value_type = Object)]
    changes: serde_json::Value,
}

/// Which lines.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// With this action.
    action: Option<String>,
    /// About the thing with this id.
    target: Option<String>,
    /// By an actor of this type.
    #[param(value_type = Option<words::ActorType>)]
    actor_type: Option<String>,
    /// From this time on.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// 1 to 200; 50 if left out.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u64>,
    /// The next_cursor of the page before.
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

impl From<AuditRecord> for AuditView {
    fn from(record: AuditRecord) -> Self {
        let event = record.event;
        Self {
            id: record.event_id,
            action: event.action,
            actor: event.actor,
            target: event.target,
            outcome: event.outcome,
            occurred_at: event.occurred_at,
            request_id: event.request_id,
            changes: event.changes,
        }
    }
}
