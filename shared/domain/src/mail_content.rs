//! Contents of mails: one type for each kind, in the words of no language. Must never hold a link, a token or a key.

use serde::{Deserialize, Serialize};

use crate::{LimitScope, MailKind, Role, Timestamp, VerdictKind};

/// An offer of a membership.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InvitationMail {
    /// Name of the tenant.
    pub tenant: String,
    /// Role that is offered.
    pub role: Role,
    /// Name of the person who invites; `None`: the operator.
    pub invited_by: Option<String>,
    /// Time at which the link ends.
    pub expires_at: Timestamp,
}

/// A link to choose another password.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PasswordResetMail {
    /// Minutes for which the link works.
    pub minutes: u64,
}

/// A sign-in from a place that the person never signed in from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewSignInMail {
    /// Time of the sign-in.
    pub at: Timestamp,
    /// Network address.
    pub address: Option<String>,
    /// Device, as it names itself.
    pub device: Option<String>,
}

/// A second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Factor {
    /// An authenticator app.
    App,
    /// A passkey.
    Passkey,
    /// Recovery codes.
    RecoveryCodes,
}

/// A change of somebody's second factors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FactorChangedMail {
    /// Factor that was changed.
    pub factor: Factor,
    /// `true` if it was added or made anew, `false` if it was removed.
    pub is_added: bool,
    /// Time of the change.
    pub at: Timestamp,
}

/// A key that expires soon, or has expired.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyExpiringMail {
    /// Name of the tenant.
    pub tenant: String,
    /// Name of the integration.
    pub integration: String,
    /// Name of its provider.
    pub provider: String,
    /// Days that are left, one of 30, 7 and 1; 0: it has expired.
    pub days: u64,
    /// Time of expiry.
    pub expires_at: Timestamp,
}

/// A key that its provider refuses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyRefusedMail {
    /// Name of the tenant.
    pub tenant: String,
    /// Name of the integration.
    pub integration: String,
    /// Name of its provider.
    pub provider: String,
    /// Verdict of the verification.
    pub verdict: VerdictKind,
    /// Time of the verification.
    pub at: Timestamp,
}

/// A key that was used outside Keyway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UsedOutsideMail {
    /// Name of the tenant.
    pub tenant: String,
    /// Name of the integration.
    pub integration: String,
    /// Name of its provider.
    pub provider: String,
    /// UTC day, `2026-11-20`.
    pub day: String,
    /// Tokens that the provider reports; `None`: not reported.
    pub reported_tokens: Option<i64>,
    /// Tokens of the calls through Keyway.
    pub metered_tokens: i64,
}

/// A budget that is used up, or nearly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BudgetMail {
    /// Name of the tenant.
    pub tenant: String,
    /// Scope of the budget.
    pub scope: LimitScope,
    /// Name of the key, project or integration that it limits.
    pub name: String,
    /// Share that is used, 80 or 100.
    pub percent: i64,
    /// Budget, in billionths of a US dollar.
    pub budget_nano_usd: i64,
}

/// Content of a mail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MailContent {
    /// See [`InvitationMail`].
    Invitation(InvitationMail),
    /// See [`PasswordResetMail`].
    PasswordReset(PasswordResetMail),
    /// See [`NewSignInMail`].
    NewSignIn(NewSignInMail),
    /// See [`FactorChangedMail`].
    FactorChanged(FactorChangedMail),
    /// See [`KeyExpiringMail`].
    KeyExpiring(KeyExpiringMail),
    /// See [`KeyRefusedMail`].
    KeyRefused(KeyRefusedMail),
    /// See [`UsedOutsideMail`].
    UsedOutside(UsedOutsideMail),
    /// See [`BudgetMail`].
    Budget(BudgetMail),
}

impl MailContent {
    /// Returns the kind of the mail.
    #[must_use]
    pub const fn kind(&self) -> MailKind {
        match self {
            Self::Invitation(_) => MailKind::Invitation,
            Self::PasswordReset(_) => MailKind::PasswordReset,
            Self::NewSignIn(_) => MailKind::NewSignIn,
            Self::FactorChanged(_) => MailKind::FactorChanged,
            Self::KeyExpiring(_) => MailKind::KeyExpiring,
            Self::KeyRefused(_) => MailKind::KeyRefused,
            Self::UsedOutside(_) => MailKind::UsedOutside,
            Self::Budget(_) => MailKind::Budget,
        }
    }
}
