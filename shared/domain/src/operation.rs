//! Operations: what a command started and what the dashboard polls.

use serde::{Deserialize, Serialize};

/// What an operation does. Also the `kind` of its command on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// Probe one integration's secret.
    VerifyKey,
    /// Fan out usage fetches; has children.
    PlanUsage,
    /// Fetch one integration's reported usage.
    FetchUsage,
}

impl OperationKind {
    /// Every kind, for documents and metrics.
    pub const ALL: [Self; 3] = [Self::VerifyKey, Self::PlanUsage, Self::FetchUsage];

    /// The text in tables, JSON and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::VerifyKey => "verify_key",
            Self::PlanUsage => "plan_usage",
            Self::FetchUsage => "fetch_usage",
        }
    }

    /// Reads [`Self::name`].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Where an operation stands: `queued -> running -> succeeded | failed | cancelled`, and
/// `running -> queued` when an attempt is to be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationState {
    /// Waits for a worker, or for the time of its next attempt.
    Queued,
    /// A worker has it.
    Running,
    /// Done.
    Succeeded,
    /// Given up; its error says why.
    Failed,
    /// Called off by its owner before it ended.
    Cancelled,
}

impl OperationState {
    /// Every state, for documents and metrics.
    pub const ALL: [Self; 5] = [Self::Queued, Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled];

    /// The text in tables, JSON and metrics.
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

    /// Whether nothing can change it any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    /// Whether an operation may go from this state to `next`. A worker's first event can be
    /// overtaken by its last one, hence `queued` may end without having been seen `running`.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (Self::Queued, Self::Queued) | (Self::Running, Self::Running) => false,
            (Self::Queued | Self::Running, _) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_final_state_never_changes() {
        for from in OperationState::ALL {
            for to in OperationState::ALL {
                if from.is_final() {
                    assert!(!from.may_become(to), "{from:?} -> {to:?}");
                }
            }
            assert_eq!(OperationState::parse(from.name()), Some(from));
        }
        assert!(OperationState::Running.may_become(OperationState::Queued));
        assert!(OperationState::Queued.may_become(OperationState::Succeeded));
    }
}
