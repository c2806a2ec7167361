//! Failures at the door: proofs that prove nobody, and acts that are denied. A closed list of kinds: a stranger chooses
//! neither what is counted nor what is audited. Must never hold what was sent, which may be a secret.

use crate::{Actor, TenantId};

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $name:literal $action:literal;)*) => {
        /// Kind of a failure.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum AuthFailureKind {
            $($(#[$doc])* $kind),*
        }

        impl AuthFailureKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// Returns its name, as in counters and in the reason of audit events.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name),*
                }
            }

            /// Returns the action of its audit events.
            #[must_use]
            pub const fn action(self) -> &'static str {
                match self {
                    $(Self::$kind => $action),*
                }
            }
        }
    };
}

kinds! {
    /// Address and password do not fit, or the password is not that of the person.
    WrongPassword "wrong_password" "session.refused";
    /// A code of a second factor is wrong, or the sign-in that waited for it has ended.
    WrongFactor "wrong_factor" "session.refused";
    /// The token of a password reset is wrong, used or expired.
    WrongPasswordReset "wrong_password_reset" "password_reset.refused";
    /// An attempt came before the time that the wrong ones before it cost.
    TooManyAttempts "too_many_attempts" "session.refused";
    /// No session has this token, or not any more.
    WrongSession "wrong_session" "session.refused";
    /// A session's cookie came with a request that another site's page may have sent.
    CrossSite "cross_site" "session.refused";
    /// The setup token is wrong or used.
    WrongSetupToken "wrong_setup_token" "setup_token.refused";
    /// The token of an invitation is wrong, used or expired.
    WrongInvitation "wrong_invitation" "invitation.refused";
    /// A service token is wrong, revoked or expired.
    WrongServiceToken "wrong_service_token" "service.refused";
    /// Not the admin key, and nothing else that is known.
    WrongAdminKey "wrong_admin_key" "admin_key.refused";
    /// Not a virtual key of this installation.
    WrongVirtualKey "wrong_virtual_key" "virtual_key.refused";
    /// A revoked virtual key.
    RevokedVirtualKey "revoked_virtual_key" "virtual_key.refused";
    /// An expired virtual key.
    ExpiredVirtualKey "expired_virtual_key" "virtual_key.refused";
    /// A known principal lacks the permission.
    DeniedPermission "denied_permission" "permission.denied";
}

/// One failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthFailure {
    /// Its kind.
    pub kind: AuthFailureKind,
    /// Tenant in whose audit log it belongs; `None`: the operator's.
    pub tenant_id: Option<TenantId>,
    /// Actor, as far as anything is proved; `None`: nobody that is known.
    pub actor: Option<Actor>,
    /// Id of the thing that was misused; `None`: only the address is known.
    pub target: Option<String>,
    /// Id of the account that was meant, or name of the permission that is lacking.
    pub about: Option<String>,
}

impl AuthFailureKind {
    /// Returns `true` if it is a key or token, whose sender waits the longer the more often it sends a wrong one. Attempts
    /// at passwords wait by their own count, which all replicas share.
    #[must_use]
    pub const fn is_of_key(self) -> bool {
        match self {
            Self::WrongSession
            | Self::WrongServiceToken
            | Self::WrongAdminKey
            | Self::WrongVirtualKey
            | Self::RevokedVirtualKey
            | Self::ExpiredVirtualKey => true,
            Self::WrongPassword
            | Self::WrongFactor
            | Self::WrongPasswordReset
            | Self::TooManyAttempts
            | Self::CrossSite
            | Self::WrongSetupToken
            | Self::WrongInvitation
            | Self::DeniedPermission => false,
        }
    }

    /// Returns the field of an audit event that lists what its failures were about.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::DeniedPermission => "permissions",
            _ => "user_ids",
        }
    }
}

impl AuthFailure {
    /// Builds the failure of somebody of whom nothing is known.
    #[must_use]
    pub const fn of(kind: AuthFailureKind) -> Self {
        Self { kind, tenant_id: None, actor: None, target: None, about: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        for (index, kind) in AuthFailureKind::ALL.iter().enumerate() {
            assert!(kind.name().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
            assert!(kind.action().contains('.'));
            assert!(AuthFailureKind::ALL[index + 1..].iter().all(|other| other.name() != kind.name()));
        }
    }
}
