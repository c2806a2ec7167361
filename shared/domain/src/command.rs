//! Commands: work for a lane. Ids and numbers only.

use serde::{Deserialize, Serialize};

use crate::{
    ContentTypeId, IntegrationId, Invalidation, Lane, MailId, MeteredCall, OperationKind, UsageProgress, UsageWindow,
};

/// Work for a lane, in the imperative.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Command {
    /// Open the secret, probe the provider, report a verdict with evidence.
    VerifyKey {
        /// Integration whose secret is verified.
        integration_id: IntegrationId,
        /// Version of the secret to verify; a command for a superseded version is dropped.
        secret_version: i32,
        /// `true` for the second probe, which confirms that the key or its address is wrong.
        confirming: bool,
    },
    /// Write one `FetchUsage` for every active integration of the tenant, or of one provider.
    PlanUsage {
        /// Time span to fetch.
        window: UsageWindow,
        /// Span in milliseconds over which the children's due times are spread; 0: all due at once.
        spread_ms: u64,
        /// `true` to include integrations whose key is known to be unable to report usage.
        #[serde(default)]
        recheck: bool,
        /// Name of the only provider to plan for; `None`: all providers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider: Option<String>,
    },
    /// Fetch one integration's usage and upsert it by natural key.
    FetchUsage {
        /// Integration whose usage is fetched.
        integration_id: IntegrationId,
        /// Time span to fetch.
        window: UsageWindow,
        /// Position at which an earlier attempt stopped; `None`: from the start.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resume: Option<UsageProgress>,
    },
    /// Publishes an invalidation to every replica again. The command that revokes publishes the first one itself.
    Revoke {
        /// Invalidation to publish.
        what: Invalidation,
    },
    /// Append proxied calls to the metered ledger.
    MeterCalls {
        /// Calls to record, each once by its request id.
        calls: Vec<MeteredCall>,
    },
    /// Send one mail to its recipient.
    SendMail {
        /// Mail to send; its words and its link stay in its row.
        mail_id: MailId,
    },
    /// Check stored entries against the schema that waits at their type, and switch to it or report why not.
    CheckSchema {
        /// Content type whose schema is to change.
        content_type_id: ContentTypeId,
    },
}

impl Command {
    /// Wire names of all kinds of commands.
    pub const NAMES: [&'static str; 7] =
        ["verify_key", "plan_usage", "fetch_usage", "revoke", "meter_calls", "send_mail", "check_schema"];

    /// Returns the wire name of this command's kind.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::VerifyKey { .. } => "verify_key",
            Self::PlanUsage { .. } => "plan_usage",
            Self::FetchUsage { .. } => "fetch_usage",
            Self::Revoke { .. } => "revoke",
            Self::MeterCalls { .. } => "meter_calls",
            Self::SendMail { .. } => "send_mail",
            Self::CheckSchema { .. } => "check_schema",
        }
    }

    /// Returns the lane that handles the command.
    #[must_use]
    pub const fn lane(&self) -> Lane {
        match self {
            Self::VerifyKey { .. } => Lane::Verify,
            // None calls a provider, and none is frequent.
            Self::PlanUsage { .. } | Self::Revoke { .. } | Self::CheckSchema { .. } => Lane::UsagePlan,
            Self::FetchUsage { .. } => Lane::UsageFetch,
            Self::MeterCalls { .. } => Lane::Meter,
            Self::SendMail { .. } => Lane::Mail,
        }
    }

    /// Returns the kind of operation whose attempt this command is; `None` for work outside operations.
    #[must_use]
    pub const fn operation_kind(&self) -> Option<OperationKind> {
        match self {
            Self::VerifyKey { .. } => Some(OperationKind::VerifyKey),
            Self::PlanUsage { .. } => Some(OperationKind::PlanUsage),
            Self::FetchUsage { .. } => Some(OperationKind::FetchUsage),
            Self::Revoke { .. } => Some(OperationKind::Revoke),
            Self::SendMail { .. } => Some(OperationKind::SendMail),
            Self::CheckSchema { .. } => Some(OperationKind::CheckSchema),
            Self::MeterCalls { .. } => None,
        }
    }

    /// Returns the integration that the command is about; `None`: none, or several.
    #[must_use]
    pub const fn integration_id(&self) -> Option<IntegrationId> {
        match self {
            Self::VerifyKey { integration_id, .. } | Self::FetchUsage { integration_id, .. } => Some(*integration_id),
            Self::PlanUsage { .. }
            | Self::Revoke { .. }
            | Self::MeterCalls { .. }
            | Self::SendMail { .. }
            | Self::CheckSchema { .. } => None,
        }
    }
}
