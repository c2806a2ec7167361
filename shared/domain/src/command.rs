//! Commands: work for a lane. Ids and numbers only.

use serde::{Deserialize, Serialize};

use crate::{IntegrationId, Invalidation, Lane, MeteredCall, OperationKind, UsageProgress, UsageWindow};

/// Work for a lane, imperative.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Command {
    /// Open the secret, probe the provider, report a verdict with evidence.
    VerifyKey {
        /// Whose secret.
        integration_id: IntegrationId,
        /// Which version of the secret; an older one is not worth a probe any more.
        secret_version: i32,
        /// True for the second probe, which confirms that a key or its address is wrong.
        confirming: bool,
    },
    /// Write one `FetchUsage` for every active integration of the tenant, or of one provider.
    PlanUsage {
        /// What to fetch.
        window: UsageWindow,
        /// Children become due spread over this many milliseconds (0: at once).
        spread_ms: u64,
        /// True to ask again for those keys, too, whose usage is known not to be reportable.
        #[serde(default)]
        recheck: bool,
        /// Of this provider alone; `None`: of all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider: Option<String>,
    },
    /// Fetch one integration's usage and upsert it by natural key.
    FetchUsage {
        /// Whose usage.
        integration_id: IntegrationId,
        /// What to fetch.
        window: UsageWindow,
        /// Where an earlier attempt stopped; `None`: from the start.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resume: Option<UsageProgress>,
    },
    /// Tell every replica again what was revoked. The first time the command that revokes it does so itself.
    Revoke {
        /// What is to be dropped.
        what: Invalidation,
    },
    /// Append proxied calls to the metered ledger.
    MeterCalls {
        /// The calls; each is recorded once by its request id.
        calls: Vec<MeteredCall>,
    },
}

impl Command {
    /// Every kind on the wire.
    pub const NAMES: [&'static str; 5] = ["verify_key", "plan_usage", "fetch_usage", "revoke", "meter_calls"];

    /// Its kind on the wire.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::VerifyKey { .. } => "verify_key",
            Self::PlanUsage { .. } => "plan_usage",
            Self::FetchUsage { .. } => "fetch_usage",
            Self::Revoke { .. } => "revoke",
            Self::MeterCalls { .. } => "meter_calls",
        }
    }

    /// The lane that handles it.
    #[must_use]
    pub const fn lane(&self) -> Lane {
        match self {
            Self::VerifyKey { .. } => Lane::Verify,
            // Neither is more than a few writes, and neither is frequent.
            Self::PlanUsage { .. } | Self::Revoke { .. } => Lane::UsagePlan,
            Self::FetchUsage { .. } => Lane::UsageFetch,
            Self::MeterCalls { .. } => Lane::Meter,
        }
    }

    /// The kind of operation it is an attempt of; `None` for work outside operations.
    #[must_use]
    pub const fn operation_kind(&self) -> Option<OperationKind> {
        match self {
            Self::VerifyKey { .. } => Some(OperationKind::VerifyKey),
            Self::PlanUsage { .. } => Some(OperationKind::PlanUsage),
            Self::FetchUsage { .. } => Some(OperationKind::FetchUsage),
            Self::Revoke { .. } => Some(OperationKind::Revoke),
            Self::MeterCalls { .. } => None,
        }
    }
}
