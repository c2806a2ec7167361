//! Lines of the audit log.

use keyway_domain::{Actor, AuditOutcome, MessageId, RequestId, Timestamp};
use keyway_store::audit::AuditRecord;
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::words;

/// One event of the audit log.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditView {
    #[schema(value_type = words::MessageId)]
    id: MessageId,
    /// Action: `integration.created`.
    #[schema(example = "integration.created")]
    action: String,
    /// Actor: `{"type": "admin"}`, or a person, a service, a virtual key or a part of Keyway.
    #[schema(value_type = Object)]
    actor: Actor,
    /// Id of the resource that was acted on.
    target: String,
    /// Outcome of the act.
    #[schema(value_type = words::AuditOutcome)]
    outcome: AuditOutcome,
    #[schema(value_type = String, format = DateTime)]
    occurred_at: Timestamp,
    /// Id of the HTTP request; null for acts of Keyway itself.
    #[schema(value_type = Option<words::RequestId>)]
    request_id: Option<RequestId>,
    /// New values by field name; never a secret.
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
