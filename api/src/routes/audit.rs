//! `/audit`: the audit log, and what proves that nobody rewrote it.

use keyway_audit::PublicKey;
use keyway_domain::Timestamp;
use keyway_store::{
    audit::{self, AuditKey, AuditRecord, Filter},
    audit_chain::{self, StoredCheckpoint},
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    answer::Answer,
    call::Call,
    cursor::{self, List},
    error::ApiError,
    openapi::words,
    view::{AuditKeyView, AuditView, CheckpointView},
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

/// Part of the list of checkpoints.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CheckpointsQuery {
    /// Page size, 1 to 200; 50 if left out.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List the signed checkpoints of the tenant's audit log, newest first: one a minute while it grows. Keep some elsewhere, and
/// a log that was cut or written anew is found out; `keyway audit verify` checks them.
#[utoipa::path(get, path = "/api/v1/audit/checkpoints", operation_id = "list_audit_checkpoints", tag = "audit",
    params(CheckpointsQuery), responses((status = 200, body = List<CheckpointView>)))]
pub(crate) async fn checkpoints(call: Call) -> Result<Answer, ApiError> {
    let CheckpointsQuery { limit, cursor } = call.query()?;
    let page = cursor::page(limit, cursor.as_deref())?;
    let found = audit_chain::checkpoints(&call.read().await?, page).await?;
    Ok(Answer::ok(&List::of(found, |row: &StoredCheckpoint| row.size, CheckpointView::from)))
}

/// Show the public keys that check the checkpoints' signatures. Keep them where nobody who can write to the database can.
#[utoipa::path(get, path = "/api/v1/audit/key", operation_id = "show_audit_key", tag = "audit",
    responses((status = 200, body = AuditKeyView)))]
pub(crate) async fn key(call: Call) -> Result<Answer, ApiError> {
    let keys = PublicKey::all(call.app.keys.vault())?;
    AuditKeyView::of(&keys).map(|view| Answer::ok(&view)).ok_or_else(|| ApiError::not_found("audit key"))
}
