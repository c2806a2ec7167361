//! The second factors of a person as a whole: which it has, and what ends when one of them changes.

use keyway_domain::{SessionId, UserId};

use crate::{StoreError, SystemTx, link_tokens, recovery_codes, session_ends, sql::Sql};

/// Second factors of a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Factors {
    /// `true` if it has an authenticator app in use.
    pub totp: bool,
    /// Number of recovery codes that it has left.
    pub recovery_codes_left: i64,
}

impl Factors {
    /// Returns `true` if a sign-in asks for one of them. Recovery codes stand in for a factor and are none.
    #[must_use]
    pub const fn are_asked_for(&self) -> bool {
        self.totp
    }
}

/// Returns the factors of a person.
///
/// # Errors
/// See [`StoreError`].
pub async fn of(tx: &SystemTx, user_id: UserId) -> Result<Factors, StoreError> {
    let count = async |text: &str| Sql::with(text, [user_id.uuid().into()]).number(tx).await;
    let apps = "SELECT count(*) AS n FROM totp_factors WHERE user_id = $1 AND confirmed_at_ms IS NOT NULL";
    let codes = "SELECT count(*) AS n FROM recovery_codes WHERE user_id = $1 AND used_at_ms IS NULL";
    Ok(Factors { totp: count(apps).await? > 0, recovery_codes_left: count(codes).await? })
}

/// Gives a person these recovery codes in the place of all it had. Its sessions end, except `keep`, and its links.
///
/// # Errors
/// [`StoreError::Conflict`] when there is no such person.
pub async fn replace_recovery_codes(
    tx: &SystemTx,
    user_id: UserId,
    codes_sha256: &[[u8; 32]],
    keep: Option<SessionId>,
) -> Result<(), StoreError> {
    recovery_codes::replace(tx, user_id, codes_sha256).await?;
    changed(tx, user_id, keep).await
}

/// Ends what began with other factors, and what is about to begin with them.
pub(crate) async fn changed(tx: &SystemTx, user_id: UserId, keep: Option<SessionId>) -> Result<(), StoreError> {
    Sql::with("UPDATE users SET version = version + 1 WHERE id = $1", [user_id.uuid().into()]).run(tx).await?;
    let _ = session_ends::end_all_of(tx, user_id, keep).await?;
    link_tokens::delete_of_user(tx, user_id).await
}
