//! An integration's status, and the verdicts that move it.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Status of an integration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntegrationStatus {
    /// Its secret has not had a conclusive verdict yet.
    Verifying,
    /// The provider accepts its secret.
    Connected,
    /// The provider refuses its secret, or it cannot be opened.
    Error,
    /// Switched off by its owner.
    Disabled,
}

impl IntegrationStatus {
    /// Every status, for counts and documents.
    pub const ALL: [Self; 4] = [Self::Verifying, Self::Connected, Self::Error, Self::Disabled];

    /// Returns the text in tables, JSON and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Verifying => "verifying",
            Self::Connected => "connected",
            Self::Error => "error",
            Self::Disabled => "disabled",
        }
    }

    /// Reads [`Self::name`].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Returns the status after `verdict`. A disabled integration stays disabled, and an inconclusive verdict changes
    /// nothing.
    #[must_use]
    pub const fn after(self, verdict: VerdictKind) -> Self {
        match (self, verdict) {
            (Self::Disabled, _) => Self::Disabled,
            (_, VerdictKind::Valid | VerdictKind::Restricted) => Self::Connected,
            (_, VerdictKind::Invalid | VerdictKind::NoCredit | VerdictKind::Undecryptable) => Self::Error,
            // A key that has worked is not wrong because its host, or who stands before it, answers oddly.
            (Self::Connected, VerdictKind::Misconfigured) => Self::Connected,
            (_, VerdictKind::Misconfigured) => Self::Error,
            (status, VerdictKind::RateLimited | VerdictKind::Unreachable) => status,
        }
    }
}

/// Result of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictKind {
    /// The provider accepts the secret.
    Valid,
    /// The provider said, twice and independently, that this secret is wrong.
    Invalid,
    /// The secret is live, but the account has no money or quota left.
    NoCredit,
    /// The secret is live, but not allowed to do everything.
    Restricted,
    /// The provider asked to wait: inconclusive.
    RateLimited,
    /// The provider was not reached, or has an error of its own: inconclusive.
    Unreachable,
    /// The answer is not that of the provider's API, twice in a row: the base URL or a proxy in front of the host is
    /// wrong, or the host has no list of models. Says nothing about the secret.
    Misconfigured,
    /// The sealed secret cannot be opened with the keys at hand.
    Undecryptable,
}

impl VerdictKind {
    /// Every verdict, for documents and metrics.
    pub const ALL: [Self; 8] = [
        Self::Valid,
        Self::Invalid,
        Self::NoCredit,
        Self::Restricted,
        Self::RateLimited,
        Self::Unreachable,
        Self::Misconfigured,
        Self::Undecryptable,
    ];

    /// Returns the text in tables, JSON and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::NoCredit => "no_credit",
            Self::Restricted => "restricted",
            Self::RateLimited => "rate_limited",
            Self::Unreachable => "unreachable",
            Self::Misconfigured => "misconfigured",
            Self::Undecryptable => "undecryptable",
        }
    }

    /// Reads [`Self::name`].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Returns `true` if the verdict ends a verification; `false` if the provider must be asked again.
    #[must_use]
    pub const fn is_conclusive(self) -> bool {
        !matches!(self, Self::RateLimited | Self::Unreachable)
    }

    /// Returns `true` if the provider accepts the secret.
    #[must_use]
    pub const fn accepts(self) -> bool {
        matches!(self, Self::Valid | Self::Restricted)
    }

    /// Returns `true` if calls with the secret cannot succeed, as far as is known.
    #[must_use]
    pub const fn refuses(self) -> bool {
        matches!(self, Self::Invalid | Self::NoCredit | Self::Undecryptable)
    }
}

/// Evidence of a verdict, from the provider's answer. Must never hold the provider's own text, which may echo the
/// secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The HTTP status of the probe's answer; `None` when there was no answer.
    pub http_status: Option<u16>,
    /// The provider's own id of the probe.
    pub provider_request_id: Option<String>,
    /// The provider's machine-readable error code, if it sent a known one.
    pub provider_code: Option<String>,
    /// One sentence of ours for the owner: what it means and what to do.
    pub reason: String,
}

/// A verdict with its evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Kind of the verdict.
    pub kind: VerdictKind,
    /// Evidence of the verdict.
    #[serde(flatten)]
    pub evidence: Evidence,
    /// Time of the probe.
    pub checked_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_conclusive_verdicts_move_a_status_and_disabled_stays() {
        use IntegrationStatus as S;
        for verdict in VerdictKind::ALL {
            assert_eq!(S::Disabled.after(verdict), S::Disabled);
            for status in [S::Verifying, S::Connected, S::Error] {
                let next = status.after(verdict);
                assert!(verdict.is_conclusive() || next == status, "{verdict:?} moved {status:?}");
                assert!(!verdict.is_conclusive() || matches!(next, S::Connected | S::Error));
            }
            assert_eq!(VerdictKind::parse(verdict.name()), Some(verdict));
        }
        assert_eq!(S::Connected.after(VerdictKind::Restricted), S::Connected);
        assert_eq!(S::Connected.after(VerdictKind::Invalid), S::Error);
    }
}
