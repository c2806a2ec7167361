//! Events: facts about the past. Status events change a status; audit events are appended to the audit log;
//! invalidations are sent to every process.

use serde::{Deserialize, Serialize};

use crate::{AuditEvent, Code, Command, IntegrationId, Invalidation, Lane, ReplicaId, Route, Timestamp, Verdict};

/// A fact about the past, in the past tense.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// A worker began an attempt.
    OperationStarted {
        /// Time of the event.
        observed_at: Timestamp,
    },
    /// The operation reached its end.
    OperationSucceeded {
        /// Time of the event.
        observed_at: Timestamp,
    },
    /// The attempt was inconclusive; the status writer schedules the next one.
    OperationDeferred {
        /// Reason that the attempt was inconclusive.
        code: Code,
        /// Time at which the next attempt is due.
        due_at: Timestamp,
        /// Command of the next attempt.
        next: Command,
        /// `true` if the provider had no room, so that the attempt number stays the same. Older builds do not know the
        /// field and count an attempt.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        keeps_attempt: bool,
        /// Time of the event.
        observed_at: Timestamp,
    },
    /// The operation was given up.
    OperationFailed {
        /// Reason of the failure.
        code: Code,
        /// Code of the last attempt, when the operation failed with `attempts_exhausted`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<Code>,
        /// Time of the event.
        observed_at: Timestamp,
    },
    /// A probe reached a verdict.
    KeyVerified {
        /// Integration whose secret was probed.
        integration_id: IntegrationId,
        /// Version of the secret that was probed.
        secret_version: i32,
        /// Verdict of the probe; `verdict.checked_at` is its time.
        verdict: Verdict,
        /// The provider's own id of the key, if the answer names one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider_key_id: Option<String>,
    },
    /// A plan has written its children.
    UsagePlanned {
        /// Number of children.
        total: i64,
        /// Time of the event.
        observed_at: Timestamp,
    },
    /// A fetch ended, with rows upserted or with the reason why the provider reports nothing for this key.
    UsageFetched {
        /// Integration whose usage was fetched.
        integration_id: IntegrationId,
        /// Version of the secret used for the fetch; its result says nothing about another version.
        secret_version: i32,
        /// Number of rows upserted.
        rows: i64,
        /// Reason why this key cannot report usage; `None`: it can.
        not_reportable: Option<String>,
        /// Time of the event.
        observed_at: Timestamp,
    },
    /// A replica has dropped the cache entries that an operation revoked.
    CacheForgotten {
        /// Replica that acknowledged.
        replica_id: ReplicaId,
        /// Time of the event.
        observed_at: Timestamp,
    },
    /// A revocation is due for another look: a replica that has not acknowledged may have left.
    RevocationDue {
        /// `true` once the revocation has waited long enough for replicas that are alive but have not acknowledged.
        overdue: bool,
        /// Time of the event.
        observed_at: Timestamp,
    },
    /// An entry for the audit log.
    Audited(AuditEvent),
    /// A cached entry is out of date.
    Invalidated(#[serde(with = "apart")] Invalidation),
}

impl Event {
    /// Wire names of all kinds of events.
    pub const NAMES: [&'static str; 11] = [
        "operation_started",
        "operation_succeeded",
        "operation_deferred",
        "operation_failed",
        "key_verified",
        "usage_planned",
        "usage_fetched",
        "cache_forgotten",
        "revocation_due",
        "audited",
        "invalidated",
    ];

    /// Returns the wire name of this event's kind.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::OperationStarted { .. } => "operation_started",
            Self::OperationSucceeded { .. } => "operation_succeeded",
            Self::OperationDeferred { .. } => "operation_deferred",
            Self::OperationFailed { .. } => "operation_failed",
            Self::KeyVerified { .. } => "key_verified",
            Self::UsagePlanned { .. } => "usage_planned",
            Self::UsageFetched { .. } => "usage_fetched",
            Self::CacheForgotten { .. } => "cache_forgotten",
            Self::RevocationDue { .. } => "revocation_due",
            Self::Audited(_) => "audited",
            Self::Invalidated(_) => "invalidated",
        }
    }

    /// Returns the route of the event: the audit lane, the invalidate route or the status lane.
    #[must_use]
    pub const fn route(&self) -> Route {
        match self {
            Self::Audited(_) => Route::Lane(Lane::Audit),
            Self::Invalidated(_) => Route::Invalidate,
            _ => Route::Lane(Lane::Status),
        }
    }
}

/// What is out of date travels in a field of its own: the message beside it has an `id` too.
mod apart {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Invalidation;

    #[derive(Serialize, Deserialize)]
    struct Apart {
        what: Invalidation,
    }

    pub(super) fn serialize<S: Serializer>(what: &Invalidation, serializer: S) -> Result<S::Ok, S::Error> {
        Apart { what: *what }.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Invalidation, D::Error> {
        Apart::deserialize(deserializer).map(|apart| apart.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Body, Message, MessageId, TenantId};
    use crate::{ServiceId, UserId, VirtualKeyId};

    #[test]
    fn what_a_cache_has_to_drop_arrives_as_it_was_sent() {
        let (key, user, service) = (VirtualKeyId::new(), UserId::new(), ServiceId::new());
        for (what, json) in [
            (Invalidation::Integrations, r#"{"of":"integrations"}"#.to_owned()),
            (Invalidation::Published, r#"{"of":"published"}"#.to_owned()),
            (Invalidation::VirtualKey { id: key }, format!(r#"{{"of":"virtual_key","id":"{key}"}}"#)),
            (Invalidation::User { id: user }, format!(r#"{{"of":"user","id":"{user}"}}"#)),
            (Invalidation::Service { id: service }, format!(r#"{{"of":"service","id":"{service}"}}"#)),
        ] {
            let message = Message::new(MessageId::new(), TenantId::new(), Body::Event(Event::Invalidated(what)));
            let bytes = message.encode().unwrap();
            assert!(String::from_utf8_lossy(&bytes).contains(&format!(r#""what":{json}"#)), "{json}");
            assert_eq!(message.route(), Route::Invalidate);
            assert_eq!(Message::decode(&bytes).unwrap(), message);
        }
    }
}
