//! The second factors of a person as a whole: which it has, and what ends when one of them changes.

use keyway_domain::{SessionId, UserId};

use crate::{StoreError, SystemTx, link_tokens, recovery_codes, session_ends, sql::Sql};

/// Second factors of a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Factors {
    /// `true` if it has an authenticator app in use.
    pub totp: bool,
    /// Number of its passkeys.
    pub passkeys: i64,
    /// Number of recovery codes that it has left.
    pub recovery_codes_left: i64,
}

impl Factors {
    /// Returns `true` if a sign-in asks for one of them. Recovery codes stand in for a factor and are none.
    #[must_use]
    pub const fn are_asked_for(&self) -> bool {
        self.totp || self.passkeys > 0
    }
}

/// Returns the factors of a person.
///
/// # Errors
/// See [`StoreError`].
pub async fn of(tx: &SystemTx, user_id: UserId) -> Result<Factors, StoreError> {
    let count = async |text: &str| Sql::with(text, [user_id.uuid().into()]).number(tx).await;
    let apps = "SELECT count(*) AS n FROM totp_factors WHERE user_id = $1 AND confirmed_at_ms IS NOT NULL";
    let passkeys = "SELECT count(*) AS n FROM passkeys WHERE user_id = $1";
    let codes = "SELECT count(*) AS n FROM recovery_codes WHERE user_id = $1 AND used_at_ms IS NULL";
    let (totp, passkeys) = (count(apps).await? > 0, count(passkeys).await?);
    Ok(Factors { totp, passkeys, recovery_codes_left: count(codes).await? })
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

/// Takes all factors of a person away, with its recovery codes; returns those that it had. Its sessions end, and its links.
///
/// # Errors
/// See [`StoreError`].
pub async fn remove_all(tx: &SystemTx, user_id: UserId) -> Result<Factors, StoreError> {
    // First, so that nobody adds one in between.
    changed(tx, user_id, None).await?;
    let had = of(tx, user_id).await?;
    for text in ["DELETE FROM totp_factors WHERE user_id = $1", "DELETE FROM passkeys WHERE user_id = $1"] {
        Sql::with(text, [user_id.uuid().into()]).run(tx).await?;
    }
    recovery_codes::replace(tx, user_id, &[]).await?;
    Ok(had)
}

/// Follows the removal of a factor; returns those that are left. With the last one the recovery codes go, which stand in
/// for one.
pub(crate) async fn removed(tx: &SystemTx, user_id: UserId, keep: Option<SessionId>) -> Result<Factors, StoreError> {
    // First: it waits for whoever removes another one, so that the last one is known to be the last.
    changed(tx, user_id, keep).await?;
    let left = of(tx, user_id).await?;
    if left.are_asked_for() {
        return Ok(left);
    }
    recovery_codes::replace(tx, user_id, &[]).await?;
    Ok(Factors::default())
}

/// Ends what began with other factors, and what is about to begin with them.
pub(crate) async fn changed(tx: &SystemTx, user_id: UserId, keep: Option<SessionId>) -> Result<(), StoreError> {
    Sql::with("UPDATE users SET version = version + 1 WHERE id = $1", [user_id.uuid().into()]).run(tx).await?;
    let _ = session_ends::end_all_of(tx, user_id, keep).await?;
    link_tokens::delete_of_user(tx, user_id).await
}
