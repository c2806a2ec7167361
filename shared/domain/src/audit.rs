//! Audit events: who did what to which thing, and how it ended. Never holds a value of a secret.

use serde::{Deserialize, Serialize};

use crate::{RequestId, Timestamp, VirtualKeyId};

/// Who acted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Actor {
    /// The holder of the admin key.
    Admin,
    /// An application with a virtual key.
    VirtualKey {
        /// Which one.
        id: VirtualKeyId,
    },
    /// Keyway itself: a worker or a schedule.
    System {
        /// Which part, for example `status` or `schedule.verify`.
        part: String,
    },
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    /// It was done.
    Success,
    /// The actor was not allowed to.
    Denied,
}

/// One line of the audit log. The message that carries it names tenant and event id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// What was done, `resource.verb_past`: `integration.created`.
    pub action: String,
    /// Who did it.
    pub actor: Actor,
    /// The id of the thing it was done to.
    pub target: String,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// When.
    pub occurred_at: Timestamp,
    /// The HTTP request, where there was one.
    pub request_id: Option<RequestId>,
    /// Field names with their new values, redacted: ids, names, numbers and states only.
    pub changes: serde_json::Value,
}

impl AuditEvent {
    /// What a part of Keyway did by itself, and did.
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
