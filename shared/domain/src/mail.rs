//! Mails: their kinds, and the states of one. No address and no link is in here.

use serde::{Deserialize, Serialize};

/// Kind of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailKind {
    /// An offer of a membership.
    Invitation,
    /// A link to choose another password.
    PasswordReset,
    /// A sign-in from a place that the person never signed in from.
    NewSignIn,
    /// A second factor was added or removed.
    FactorChanged,
    /// A key expires soon, or has expired.
    KeyExpiring,
    /// A provider refuses a key.
    KeyRefused,
    /// A key is used outside Keyway.
    UsedOutside,
    /// A budget is used up, or nearly.
    Budget,
}

impl MailKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Invitation,
        Self::PasswordReset,
        Self::NewSignIn,
        Self::FactorChanged,
        Self::KeyExpiring,
        Self::KeyRefused,
        Self::UsedOutside,
        Self::Budget,
    ];

    /// Returns the text in tables, JSON and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::PasswordReset => "password_reset",
            Self::NewSignIn => "new_sign_in",
            Self::FactorChanged => "factor_changed",
            Self::KeyExpiring => "key_expiring",
            Self::KeyRefused => "key_refused",
            Self::UsedOutside => "used_outside",
            Self::Budget => "budget",
        }
    }

    /// Reads [`Self::name`].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Returns `true` if people choose whether they get it; the others are asked for, each one.
    #[must_use]
    pub const fn is_optional(self) -> bool {
        !matches!(self, Self::Invitation | Self::PasswordReset)
    }
}

/// State of a mail: `waiting -> sent | bounced | unsent`, and back to `waiting` when somebody has it sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailState {
    /// To be sent, now or with the next attempt.
    Waiting,
    /// The mail server has taken it.
    Sent,
    /// The mail server does not take it for this recipient.
    Bounced,
    /// It was given up: no mail server is set, none took it in time, or its link ended.
    Unsent,
}

impl MailState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Sent, Self::Bounced, Self::Unsent];

    /// Returns the text in tables, JSON and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Bounced => "bounced",
            Self::Unsent => "unsent",
        }
    }

    /// Reads [`Self::name`].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_states_are_read_back() {
        for kind in MailKind::ALL {
            assert_eq!(MailKind::parse(kind.name()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
        for state in MailState::ALL {
            assert_eq!(MailState::parse(state.name()), Some(state));
        }
    }
}
