//! An event on its way into the audit log. Plain data.

use keyway_domain::{AuditEvent, MessageId, TenantId};

/// An audit event with its tenant and id, as the audit writer appends it.
#[derive(Clone, Debug)]
pub struct AuditRecord {
    /// Id of the message that carried the event: the natural key.
    pub event_id: MessageId,
    /// Tenant of the event.
    pub tenant_id: TenantId,
    /// The event.
    pub event: AuditEvent,
}
