//! Passkeys of people: public keys, and what their authenticators said of themselves the last time.

use keyway_domain::{PasskeyId, SessionId, Timestamp, UserId};

use crate::{
    StoreError, SystemTx,
    entity::passkeys as table,
    factors::{self, Factors},
    sql::{Sql, time},
};

/// A passkey as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeyRow {
    /// Its id.
    pub id: PasskeyId,
    /// Person that it proves.
    pub user_id: UserId,
    /// Id that its authenticator gave it.
    pub credential_id: Vec<u8>,
    /// Public key, as COSE writes it.
    pub public_key: Vec<u8>,
    /// Name of the person at the authenticator: random.
    pub user_handle: Vec<u8>,
    /// Number of its signatures, as far as the authenticator counts.
    pub sign_count: i64,
    /// `true` if it may be copied to other devices; never changes.
    pub may_be_backed_up: bool,
    /// `true` if it has been.
    pub is_backed_up: bool,
    /// Name that its person gave it.
    pub name: String,
    /// Time at which it was added.
    pub created_at: Timestamp,
    /// Time of its last proof.
    pub last_used_at: Option<Timestamp>,
}

/// Adds a passkey. The person's sessions end, except `keep`, and its links.
///
/// # Errors
/// [`StoreError::Conflict`] where the credential is there already, or the person is not.
pub async fn insert(tx: &SystemTx, row: &PasskeyRow, keep: Option<SessionId>) -> Result<(), StoreError> {
    let text = "INSERT INTO passkeys (id, user_id, credential_id, public_key, user_handle, sign_count, may_be_backed_up, \
                is_backed_up, name, created_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let values = [
        row.id.uuid().into(),
        row.user_id.uuid().into(),
        row.credential_id.clone().into(),
        row.public_key.clone().into(),
        row.user_handle.clone().into(),
        row.sign_count.into(),
        row.may_be_backed_up.into(),
        row.is_backed_up.into(),
        row.name.as_str().into(),
        row.created_at.ms().into(),
    ];
    Sql::with(text, values).run(tx).await?;
    factors::changed(tx, row.user_id, keep).await
}

/// Returns the passkeys of a person, oldest first.
///
/// # Errors
/// See [`StoreError`].
pub async fn of_user(tx: &SystemTx, user_id: UserId) -> Result<Vec<PasskeyRow>, StoreError> {
    let sql = Sql::with("SELECT * FROM passkeys WHERE user_id = $1 ORDER BY id", [user_id.uuid().into()]);
    Ok(sql.models::<table::Entity>(tx).await?.into_iter().map(row).collect())
}

/// Returns the passkey that its authenticator gave this id.
///
/// # Errors
/// See [`StoreError`].
pub async fn find_by_credential(tx: &SystemTx, credential_id: &[u8]) -> Result<Option<PasskeyRow>, StoreError> {
    let sql = Sql::with("SELECT * FROM passkeys WHERE credential_id = $1", [credential_id.to_vec().into()]);
    Ok(sql.models::<table::Entity>(tx).await?.pop().map(row))
}

/// Notes a proof. `false` where the passkey has proved as much in the meantime, or is gone: a count that does not grow is
/// a copy's, where the authenticator counts at all.
///
/// # Errors
/// See [`StoreError`].
pub async fn accept(
    tx: &SystemTx,
    id: PasskeyId,
    (sign_count, is_backed_up): (i64, bool),
    now: Timestamp,
) -> Result<bool, StoreError> {
    let text = "UPDATE passkeys SET sign_count = $1, is_backed_up = $2, last_used_at_ms = $3 WHERE id = $4 \
                AND (sign_count < $1 OR (sign_count = 0 AND $1 = 0))";
    let values = [sign_count.into(), is_backed_up.into(), now.ms().into(), id.uuid().into()];
    Ok(Sql::with(text, values).run(tx).await? == 1)
}

/// Gives a passkey of a person another name.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn rename(tx: &SystemTx, user_id: UserId, id: PasskeyId, name: &str) -> Result<(), StoreError> {
    let text = "UPDATE passkeys SET name = $1 WHERE id = $2 AND user_id = $3";
    let renamed = Sql::with(text, [name.into(), id.uuid().into(), user_id.uuid().into()]).run(tx).await?;
    if renamed == 0 { Err(StoreError::NotFound) } else { Ok(()) }
}

/// Takes a passkey of a person away, and with its last factor its recovery codes; returns the factors that are left. Its
/// sessions end, except `keep`, and its links.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn delete(
    tx: &SystemTx,
    user_id: UserId,
    id: PasskeyId,
    keep: Option<SessionId>,
) -> Result<Factors, StoreError> {
    let text = "DELETE FROM passkeys WHERE id = $1 AND user_id = $2";
    if Sql::with(text, [id.uuid().into(), user_id.uuid().into()]).run(tx).await? == 0 {
        return Err(StoreError::NotFound);
    }
    factors::removed(tx, user_id, keep).await
}

fn row(model: table::Model) -> PasskeyRow {
    PasskeyRow {
        id: PasskeyId::from_uuid(model.id),
        user_id: UserId::from_uuid(model.user_id),
        credential_id: model.credential_id,
        public_key: model.public_key,
        user_handle: model.user_handle,
        sign_count: model.sign_count,
        may_be_backed_up: model.may_be_backed_up,
        is_backed_up: model.is_backed_up,
        name: model.name,
        created_at: Timestamp::from_ms(model.created_at_ms),
        last_used_at: time(model.last_used_at_ms),
    }
}
