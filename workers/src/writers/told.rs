//! Messages about a change that the status writer made: to the audit log and to every cache.
//!
//! The ids follow from operation and attempt, so that a repeated message has one effect.

use keyway_domain::{AuditEvent, Body, Event, IntegrationId, Invalidation, Message, MessageId, TenantId, Timestamp};
use keyway_store::{
    integrations::Settled,
    operations::OperationRow,
    replacements::Ended,
    verdicts::{Applied, VerdictRecord},
};
use serde_json::{Value, json};

/// Builds audit event and invalidation for a verdict that changed a status.
pub(super) fn status_changed(change: &Applied, record: &VerdictRecord) -> [Message; 2] {
    let changes = json!({
        "from": change.from, "to": change.to, "verdict": record.verdict.kind, "operation_id": record.operation_id,
    });
    let origin = MessageId::of_attempt(record.operation_id, record.attempt);
    let of = Of { tenant_id: change.tenant_id, integration_id: change.integration_id, at: record.verdict.checked_at };
    of.tell(origin, "integration.status_changed", changes)
}

/// Builds audit event and invalidation for a verification that ended without a verdict.
pub(super) fn settled(settled: &Settled, operation: &OperationRow) -> [Message; 2] {
    let changes = json!({ "from": "verifying", "to": settled.to, "operation_id": operation.id });
    let origin = MessageId::of_attempt(operation.id, operation.attempt).derived("settled");
    let of = Of { tenant_id: settled.tenant_id, integration_id: settled.integration_id, at: Timestamp::now() };
    of.tell(origin, "integration.status_changed", changes)
}

/// Builds audit event and invalidation for a replacement that was swapped in or refused.
pub(super) fn replaced(ended: &Ended) -> [Message; 2] {
    let action = if ended.is_swapped { "integration.credentials_replaced" } else { "integration.credentials_refused" };
    let changes = json!({
        "secret_version": ended.version, "hint": ended.hint, "verdict": ended.verdict,
        "operation_id": ended.operation_id,
    });
    let origin = MessageId::of_attempt(ended.operation_id, ended.attempt).derived("replacement");
    let of = Of { tenant_id: ended.tenant_id, integration_id: ended.integration_id, at: ended.at };
    of.tell(origin, action, changes)
}

/// The changed integration and the time of the change.
struct Of {
    tenant_id: TenantId,
    integration_id: IntegrationId,
    at: Timestamp,
}

impl Of {
    fn tell(&self, origin: MessageId, action: &str, changes: Value) -> [Message; 2] {
        let audited = AuditEvent::by_system("status", action, self.integration_id, self.at, changes);
        [Event::Audited(audited), Event::Invalidated(Invalidation::Integrations)]
            .map(|event| Message::new(origin.derived(event.name()), self.tenant_id, Body::Event(event)))
    }
}
