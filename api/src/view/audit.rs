//! Lines of the audit log, its checkpoints and their keys.

use keyway_audit::PublicKey;
use keyway_domain::{Actor, AuditOutcome, MessageId, RequestId, Timestamp};
use keyway_store::{audit::AuditRecord, audit_chain::StoredCheckpoint};
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

/// Signed checkpoint of the audit log.
#[derive(Serialize, ToSchema)]
pub(crate) struct CheckpointView {
    /// Number of entries that it holds.
    entries: u64,
    /// Signed note in C2SP's format: the log's name, the number of entries, the root of the tree over them, the time, and
    /// the signature.
    note: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// Public keys that check the checkpoints' signatures.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditKeyView {
    /// Key of new checkpoints: `name+id+key`.
    public_key: String,
    /// Keys of checkpoints from before a root key was replaced.
    earlier_keys: Vec<String>,
}

impl From<StoredCheckpoint> for CheckpointView {
    fn from(checkpoint: StoredCheckpoint) -> Self {
        Self { entries: checkpoint.size, note: checkpoint.note, created_at: checkpoint.created_at }
    }
}

impl AuditKeyView {
    /// Shows an installation's keys, that of new checkpoints first; `None` if there is none.
    pub(crate) fn of(keys: &[PublicKey]) -> Option<Self> {
        let (first, earlier) = keys.split_first()?;
        Some(Self { public_key: first.text(), earlier_keys: earlier.iter().map(PublicKey::text).collect() })
    }
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
