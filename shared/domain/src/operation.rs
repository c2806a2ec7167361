//! Operations: units of work that commands start and that the dashboard polls.

use serde::{Deserialize, Serialize};

/// Kind of an operation; also the `kind` of its command on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// Probe one integration's secret.
    VerifyKey,
    /// Fan out usage fetches; has children.
    PlanUsage,
    /// Fetch one integration's reported usage.
    FetchUsage,
    /// Have every replica drop revoked cache entries; its progress counts replicas.
    Revoke,
    /// Send one mail to one recipient.
    SendMail,
    /// Check stored entries against another schema of their type.
    CheckSchema,
}

impl OperationKind {
    /// Every kind, for documents and metrics.
    pub const ALL: [Self; 6] =
        [Self::VerifyKey, Self::PlanUsage, Self::FetchUsage, Self::Revoke, Self::SendMail, Self::CheckSchema];

    /// Returns the text in tables, JSON and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::VerifyKey => "verify_key",
            Self::PlanUsage => "plan_usage",
            Self::FetchUsage => "fetch_usage",
            Self::Revoke => "revoke",
            Self::SendMail => "send_mail",
            Self::CheckSchema => "check_schema",
        }
    }

    /// Reads [`Self::name`].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// State of an operation: `queued -> running -> succeeded | failed | cancelled`, and `running -> queued` when an
/// attempt is to be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationState {
    /// Waiting for a worker, or for the due time of its next attempt.
    Queued,
    /// A worker is on an attempt.
    Running,
    /// Done.
    Succeeded,
    /// Given up; its error says why.
    Failed,
    /// Cancelled by its owner before it ended.
    Cancelled,
}

impl OperationState {
    /// Every state, for documents and metrics.
    pub const ALL: [Self; 5] = [Self::Queued, Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled];

    /// Returns the text in tables, JSON and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads [`Self::name`].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Returns `true` if no transition leads out of the state.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_read_back() {
        for state in OperationState::ALL {
            assert_eq!(OperationState::parse(state.name()), Some(state));
        }
    }
}
