//! What stands at the end of a link, or between the two steps of a sign-in. Only the SHA-256 of a token is stored, and a
//! token that was used has no row.

use keyway_domain::{Timestamp, UserId};

use crate::{StoreError, SystemTx, entity::link_tokens as table, sql::Sql};

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Setting a password that was forgotten.
    PasswordReset,
    /// Showing the second factor after the first one.
    SecondFactor,
    /// Nothing more: it was shown by a passkey, and is kept until it would have ended.
    Spent,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Self::PasswordReset => "password_reset",
            Self::SecondFactor => "second_factor",
            Self::Spent => "spent",
        }
    }
}

/// Adds a token of a person.
///
/// # Errors
/// [`StoreError::Conflict`] when there is no such person.
pub async fn insert(
    tx: &SystemTx,
    purpose: Purpose,
    user_id: UserId,
    token_sha256: &[u8; 32],
    (now, expires_at): (Timestamp, Timestamp),
) -> Result<(), StoreError> {
    let text = "INSERT INTO link_tokens (token_sha256, purpose, user_id, created_at_ms, expires_at_ms) \
                VALUES ($1, $2, $3, $4, $5)";
    let (hash, user_id) = (token_sha256.to_vec().into(), user_id.uuid().into());
    let values = [hash, purpose.name().into(), user_id, now.ms().into(), expires_at.ms().into()];
    Sql::with(text, values).run(tx).await.map(drop)
}

/// Whose token has this hash, while it is good for this; the token stays good.
///
/// # Errors
/// See [`StoreError`].
pub async fn find(
    tx: &SystemTx,
    purpose: Purpose,
    sha256: &[u8; 32],
    now: Timestamp,
) -> Result<Option<UserId>, StoreError> {
    let text = "SELECT * FROM link_tokens WHERE token_sha256 = $1 AND purpose = $2 AND expires_at_ms > $3";
    one(tx, Sql::with(text, [sha256.to_vec().into(), purpose.name().into(), now.ms().into()])).await
}

/// Uses a token up and says whose it was. Of all who try at the same moment one succeeds; `None` for the others, and
/// where it is not good for this.
///
/// # Errors
/// See [`StoreError`].
pub async fn take(
    tx: &SystemTx,
    purpose: Purpose,
    sha256: &[u8; 32],
    now: Timestamp,
) -> Result<Option<UserId>, StoreError> {
    let text = "DELETE FROM link_tokens WHERE token_sha256 = $1 AND purpose = $2 AND expires_at_ms > $3 RETURNING *";
    one(tx, Sql::with(text, [sha256.to_vec().into(), purpose.name().into(), now.ms().into()])).await
}

/// Notes that a person has used up what nobody stored before. Of all who try at the same moment one succeeds.
///
/// # Errors
/// [`StoreError::Conflict`] when there is no such person.
pub async fn spend(
    tx: &SystemTx,
    user_id: UserId,
    sha256: &[u8; 32],
    (now, expires_at): (Timestamp, Timestamp),
) -> Result<bool, StoreError> {
    let text = "INSERT INTO link_tokens (token_sha256, purpose, user_id, created_at_ms, expires_at_ms) \
                VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    let (hash, user_id) = (sha256.to_vec().into(), user_id.uuid().into());
    let values = [hash, Purpose::Spent.name().into(), user_id, now.ms().into(), expires_at.ms().into()];
    Ok(Sql::with(text, values).run(tx).await? == 1)
}

/// Makes every token of a person useless.
///
/// # Errors
/// See [`StoreError`].
pub async fn delete_of_user(tx: &SystemTx, user_id: UserId) -> Result<(), StoreError> {
    let text = "DELETE FROM link_tokens WHERE user_id = $1 AND purpose <> $2";
    Sql::with(text, [user_id.uuid().into(), Purpose::Spent.name().into()]).run(tx).await.map(drop)
}

async fn one(tx: &SystemTx, sql: Sql) -> Result<Option<UserId>, StoreError> {
    Ok(sql.models::<table::Entity>(tx).await?.pop().map(|token| UserId::from_uuid(token.user_id)))
}
