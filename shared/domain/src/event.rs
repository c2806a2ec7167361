//! Events: what happened. Status events change a status, the others are written down or heard.

use serde::{Deserialize, Serialize};

use crate::{AuditEvent, Code, Command, IntegrationId, Invalidation, Lane, ReplicaId, Route, Timestamp, Verdict};

/// Something that happened, past tense.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// A worker took up an attempt.
    OperationStarted {
        /// When.
        observed_at: Timestamp,
    },
    /// The operation reached its end.
    OperationSucceeded {
        /// When.
        observed_at: Timestamp,
    },
    /// The attempt was inconclusive; the status writer schedules the next one.
    OperationDeferred {
        /// Why.
        code: Code,
        /// When the next attempt is due.
        due_at: Timestamp,
        /// What the next attempt does.
        next: Command,
        /// The provider had no room: the same attempt is due again. A build that does not know this counts one.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        keeps_attempt: bool,
        /// When.
        observed_at: Timestamp,
    },
    /// The operation was given up.
    OperationFailed {
        /// Why.
        code: Code,
        /// What the last attempt met, when it was given up for the number of its attempts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<Code>,
        /// When.
        observed_at: Timestamp,
    },
    /// A probe found this.
    KeyVerified {
        /// Whose secret.
        integration_id: IntegrationId,
        /// Which version of it.
        secret_version: i32,
        /// What was found; `verdict.checked_at` is when.
        verdict: Verdict,
        /// The provider's own id of the key, where it says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider_key_id: Option<String>,
    },
    /// A plan wrote its children.
    UsagePlanned {
        /// How many there are.
        total: i64,
        /// When.
        observed_at: Timestamp,
    },
    /// A fetch ended: rows upserted, or why the provider reports nothing for this key.
    UsageFetched {
        /// Whose usage.
        integration_id: IntegrationId,
        /// The version of the secret that was asked with; what it learned does not hold for another one.
        secret_version: i32,
        /// Rows upserted.
        rows: i64,
        /// Why nothing can be reported with this key, if that is so.
        not_reportable: Option<String>,
        /// When.
        observed_at: Timestamp,
    },
    /// A replica has dropped what an operation revoked.
    CacheForgotten {
        /// Which replica.
        replica_id: ReplicaId,
        /// When.
        observed_at: Timestamp,
    },
    /// A revocation is to be looked at again: replicas may be gone that it waits for.
    RevocationDue {
        /// Whether it has waited long enough for those that are not.
        overdue: bool,
        /// When.
        observed_at: Timestamp,
    },
    /// Something that belongs in the audit log.
    Audited(AuditEvent),
    /// Something cached is out of date.
    Invalidated(Invalidation),
}

impl Event {
    /// Every kind on the wire.
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

    /// Its kind on the wire.
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

    /// Where it goes.
    #[must_use]
    pub const fn route(&self) -> Route {
        match self {
            Self::Audited(_) => Route::Lane(Lane::Audit),
            Self::Invalidated(_) => Route::Invalidate,
            _ => Route::Lane(Lane::Status),
        }
    }
}
