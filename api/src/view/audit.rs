//! Lines of the audit log.

use keyway_domain::{Actor, AuditOutcome, MessageId, RequestId, Timestamp};
use keyway_store::audit::AuditRecord;
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::words;

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
