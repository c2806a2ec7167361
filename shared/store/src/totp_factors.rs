//! Authenticator apps of people: the sealed secret, and the last step whose code was accepted.

use keyway_domain::{DataKeyId, SessionId, Timestamp, UserId};

use crate::{
    StoreError, SystemTx,
    entity::totp_factors as table,
    factors::{self, Factors},
    sql::{Sql, time},
};

/// An authenticator app as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TotpFactorRow {
    /// Whose it is.
    pub user_id: UserId,
    /// The secret, sealed under [`UserId::totp_secret`].
    pub envelope: Vec<u8>,
    /// What it is sealed with.
    pub data_key_id: DataKeyId,
    /// The version it is sealed as: one more for each app that took the place of another.
    pub version: i32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its first code was shown; before, no sign-in asks for one.
    pub confirmed_at: Option<Timestamp>,
    /// The last step whose code was accepted.
    pub last_step: Option<i64>,
}

/// The app of a person, confirmed or not.
///
/// # Errors
/// See [`StoreError`].
pub async fn find(tx: &SystemTx, user_id: UserId) -> Result<Option<TotpFactorRow>, StoreError> {
    let sql = Sql::with("SELECT * FROM totp_factors WHERE user_id = $1", [user_id.uuid().into()]);
    Ok(sql.models::<table::Entity>(tx).await?.pop().map(row))
}

/// Keeps the secret of an app that is yet to be confirmed, sealed as `version`. One that is not confirmed gives way to a
/// later version: of two that begin at the same moment one succeeds.
///
/// # Errors
/// [`StoreError::Conflict`] when the person has a confirmed app, or one as late as this, or is not there.
pub async fn put(
    tx: &SystemTx,
    user_id: UserId,
    (envelope, data_key_id, version): (&[u8], DataKeyId, i32),
    now: Timestamp,
) -> Result<(), StoreError> {
    let text = "INSERT INTO totp_factors (user_id, envelope, data_key_id, version, created_at_ms) \
                VALUES ($1, $2, $3, $4, $5) ON CONFLICT (user_id) DO UPDATE SET envelope = excluded.envelope, \
                data_key_id = excluded.data_key_id, version = excluded.version, created_at_ms = excluded.created_at_ms, \
                last_step = NULL WHERE totp_factors.confirmed_at_ms IS NULL AND totp_factors.version < excluded.version";
    let (user_id, key) = (user_id.uuid().into(), data_key_id.uuid().into());
    let values = [user_id, envelope.to_vec().into(), key, version.into(), now.ms().into()];
    if Sql::with(text, values).run(tx).await? == 0 { Err(StoreError::Conflict) } else { Ok(()) }
}

/// Puts an app into use whose first code was right. The person's other sessions end, except `keep`, and its links.
///
/// # Errors
/// [`StoreError::Conflict`] where no app waits for it, or another one has taken its place.
pub async fn confirm(
    tx: &SystemTx,
    user_id: UserId,
    (version, step): (i32, i64),
    keep: Option<SessionId>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let text = "UPDATE totp_factors SET confirmed_at_ms = $1, last_step = $2 \
                WHERE user_id = $3 AND version = $4 AND confirmed_at_ms IS NULL";
    let values = [now.ms().into(), step.into(), user_id.uuid().into(), version.into()];
    if Sql::with(text, values).run(tx).await? == 0 {
        return Err(StoreError::Conflict);
    }
    factors::changed(tx, user_id, keep).await
}

/// Accepts a code of this step. Of all who show it at the same moment one succeeds, and no code of it or of an earlier
/// step is accepted again.
///
/// # Errors
/// See [`StoreError`].
pub async fn accept_step(tx: &SystemTx, user_id: UserId, step: i64) -> Result<bool, StoreError> {
    let text = "UPDATE totp_factors SET last_step = $1 WHERE user_id = $2 AND confirmed_at_ms IS NOT NULL \
                AND (last_step IS NULL OR last_step < $1)";
    Ok(Sql::with(text, [step.into(), user_id.uuid().into()]).run(tx).await? == 1)
}

/// Takes the app of a person away, and with its last factor its recovery codes; returns the factors that are left. Its
/// sessions end, except `keep`, and its links. `None` where it has no app.
///
/// # Errors
/// See [`StoreError`].
pub async fn delete(tx: &SystemTx, user_id: UserId, keep: Option<SessionId>) -> Result<Option<Factors>, StoreError> {
    let text = "DELETE FROM totp_factors WHERE user_id = $1";
    if Sql::with(text, [user_id.uuid().into()]).run(tx).await? == 0 {
        return Ok(None);
    }
    factors::removed(tx, user_id, keep).await.map(Some)
}

fn row(model: table::Model) -> TotpFactorRow {
    TotpFactorRow {
        user_id: UserId::from_uuid(model.user_id),
        envelope: model.envelope,
        data_key_id: DataKeyId::from_uuid(model.data_key_id),
        version: model.version,
        created_at: Timestamp::from_ms(model.created_at_ms),
        confirmed_at: time(model.confirmed_at_ms),
        last_step: model.last_step,
    }
}
