//! Audit events: actor, action, target and outcome of one act. Must never hold the value of a secret.

use serde::{Deserialize, Serialize};

use crate::{RequestId, ServiceId, Timestamp, UserId, VirtualKeyId};

/// Actor of an audit event.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Actor {
    /// The holder of the admin key.
    Admin,
    /// An application with a virtual key.
    VirtualKey {
        /// Id of the virtual key.
        id: VirtualKeyId,
    },
    /// A person, by a session.
    User {
        /// Which one.
        id: UserId,
    },
    /// A program, by its service token.
    Service {
        /// Which one.
        id: ServiceId,
    },
    /// Keyway itself: a worker or a schedule.
    System {
        /// Part of Keyway that acted, for example `status` or `schedule.verify`.
        part: String,
    },
}

/// Outcome of the audited act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    /// The act took effect.
    Success,
    /// The actor was not allowed to act.
    Denied,
}

/// One line of the audit log. The message that carries it names tenant and event id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// Action, as `resource.verb_past`: `integration.created`.
    pub action: String,
    /// Actor of the event.
    pub actor: Actor,
    /// Id of the resource that was acted on, as text: `int_0198...`.
    pub target: String,
    /// Outcome of the act.
    pub outcome: AuditOutcome,
    /// Time of the act.
    pub occurred_at: Timestamp,
    /// Id of the HTTP request that caused the act; `None` for acts of workers and schedules.
    pub request_id: Option<RequestId>,
    /// New values by field name, redacted: ids, names, numbers and states only.
    pub changes: serde_json::Value,
}

impl AuditEvent {
    /// Builds the event of a successful act by `part` of Keyway itself, without a request id.
    #[must_use]
    pub fn by_system(
        part: &str,
        action: &str,
        target: impl ToString,
        occurred_at: Timestamp,
        changes: serde_json::Value,
    ) -> Self {
        Self {
            action: action.to_owned(),
            actor: Actor::System { part: part.to_owned() },
            target: target.to_string(),
            outcome: AuditOutcome::Success,
            occurred_at,
            request_id: None,
            changes,
        }
    }
}
