//! Identities of people at identity providers: what a person is there is its issuer and subject, never its address, which
//! may be given to somebody else.

use keyway_domain::{Timestamp, UserId};

use crate::{StoreError, SystemTx, sql::Sql};

/// Returns whose identity this is.
///
/// # Errors
/// See [`StoreError`].
pub async fn find(tx: &SystemTx, issuer: &str, subject: &str) -> Result<Option<UserId>, StoreError> {
    let text = "SELECT user_id AS id FROM identities WHERE issuer = $1 AND subject = $2";
    let ids = Sql::with(text, [issuer.into(), subject.into()]).ids(tx).await?;
    Ok(ids.first().copied().map(UserId::from_uuid))
}

/// Ties a person to its identity at an issuer.
///
/// # Errors
/// [`StoreError::Conflict`] where the identity is somebody's, or the person has another one there, or is not there.
pub async fn insert(
    tx: &SystemTx,
    user_id: UserId,
    (issuer, subject): (&str, &str),
    now: Timestamp,
) -> Result<(), StoreError> {
    let text = "INSERT INTO identities (issuer, subject, user_id, created_at_ms) VALUES ($1, $2, $3, $4)";
    let values = [issuer.into(), subject.into(), user_id.uuid().into(), now.ms().into()];
    Sql::with(text, values).run(tx).await.map(drop)
}
