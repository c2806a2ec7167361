//! Sessions of people. Only the SHA-256 of a token is stored, and a session that ended has no row.

use std::time::Duration;

use keyway_domain::{SessionId, Timestamp, UserId};
use sea_orm::EntityTrait;

use crate::{
    StoreError, SystemTx,
    entity::sessions as table,
    sql::Sql,
    transaction::sealed::Inner,
    users::{self, UserRow},
};

pub use crate::session_ends::end_all_of;

/// How often at most it is written that a session was used.
pub const TOUCH_EVERY: Duration = Duration::from_secs(60);

/// What a person proved itself by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Its password alone.
    Password,
    /// A code of its authenticator app.
    Totp,
    /// One of its recovery codes.
    RecoveryCode,
    /// A passkey.
    Passkey,
    /// The word of its identity provider.
    Oidc,
}

/// A session as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, give or take [`TOUCH_EVERY`].
    pub seen_at: Timestamp,
    /// When it ends if it is not used; never after [`SessionRow::ends_at`].
    pub idle_ends_at: Timestamp,
    /// When it ends in any case.
    pub ends_at: Timestamp,
    /// The network address it began from.
    pub address: Option<String>,
    /// The program it began in, as that calls itself.
    pub device: Option<String>,
    /// When the person last proved itself in it.
    pub proof_at: Timestamp,
    /// By what.
    pub proved_by: Proof,
}

/// What a new session is made of.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The SHA-256 of its token.
    pub token_sha256: [u8; 32],
    /// How long it holds without being used.
    pub idle: Duration,
    /// How long it holds in any case.
    pub absolute: Duration,
    /// The network address it begins from.
    pub address: Option<String>,
    /// The program it begins in, as that calls itself.
    pub device: Option<String>,
    /// What the person proved itself by.
    pub proved_by: Proof,
}

impl Proof {
    const ALL: [Self; 5] = [Self::Password, Self::Totp, Self::RecoveryCode, Self::Passkey, Self::Oidc];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Totp => "totp",
            Self::RecoveryCode => "recovery_code",
            Self::Passkey => "passkey",
            Self::Oidc => "oidc",
        }
    }
}

/// Adds a session of a person that has just proved itself, as long as nothing of the person has changed since it was
/// read: a session that began with a password must not outlive it.
///
/// # Errors
/// [`StoreError::Stale`] when the person has changed, is shut out or is gone.
pub async fn insert(tx: &SystemTx, user: &UserRow, new: NewSession, now: Timestamp) -> Result<SessionRow, StoreError> {
    users::hold(tx, user).await?;
    let ends_at = now.after(new.absolute);
    let model = table::Model {
        id: SessionId::new().uuid(),
        user_id: user.id.uuid(),
        token_sha256: new.token_sha256.to_vec(),
        created_at_ms: now.ms(),
        seen_at_ms: now.ms(),
        idle_ms: i64::try_from(new.idle.as_millis()).unwrap_or(i64::MAX),
        idle_ends_at_ms: now.after(new.idle).min(ends_at).ms(),
        ends_at_ms: ends_at.ms(),
        address: new.address,
        device: new.device,
        proof_at_ms: now.ms(),
        proved_by: new.proved_by.name().to_owned(),
    };
    let stored: table::ActiveModel = model.clone().into();
    table::Entity::insert(stored).exec_without_returning(tx.db()).await?;
    row(model)
}

/// The session whose token has this hash, with its person: while it holds, and the person is not shut out.
///
/// # Errors
/// See [`StoreError`].
pub async fn find_by_token_hash(
    tx: &SystemTx,
    sha256: &[u8; 32],
    now: Timestamp,
) -> Result<Option<(SessionRow, UserRow)>, StoreError> {
    let text = "SELECT * FROM sessions WHERE token_sha256 = $1 AND idle_ends_at_ms > $2";
    let sql = Sql::with(text, [sha256.to_vec().into(), now.ms().into()]);
    let Some(model) = sql.models::<table::Entity>(tx).await?.pop() else { return Ok(None) };
    let session = row(model)?;
    let user = users::find(tx, session.user_id).await?.filter(|user| user.disabled_at.is_none());
    Ok(user.map(|user| (session, user)))
}

/// Notes that a session is used, which puts its idle end off; within [`TOUCH_EVERY`] of the last note nothing is
/// written. Returns the idle end that holds; `None` where the session has ended.
///
/// # Errors
/// See [`StoreError`].
pub async fn touch(tx: &SystemTx, id: SessionId, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let text = "UPDATE sessions SET seen_at_ms = $1, idle_ends_at_ms = \
                CASE WHEN ends_at_ms - idle_ms > $1 THEN $1 + idle_ms ELSE ends_at_ms END \
                WHERE id = $2 AND seen_at_ms <= $3 AND idle_ends_at_ms > $1";
    let values = [now.ms().into(), id.uuid().into(), now.before(TOUCH_EVERY).ms().into()];
    Sql::with(text, values).run(tx).await?;
    let text = "SELECT * FROM sessions WHERE id = $1 AND idle_ends_at_ms > $2";
    let session = Sql::with(text, [id.uuid().into(), now.ms().into()]).models::<table::Entity>(tx).await?.pop();
    Ok(session.map(|session| Timestamp::from_ms(session.idle_ends_at_ms)))
}

/// Notes that the person has proved itself anew, and gives the session another token. `false` where it has ended.
///
/// # Errors
/// See [`StoreError`].
pub async fn prove(
    tx: &SystemTx,
    id: SessionId,
    proved_by: Proof,
    token_sha256: &[u8; 32],
    now: Timestamp,
) -> Result<bool, StoreError> {
    let text = "UPDATE sessions SET proof_at_ms = $1, proved_by = $2, token_sha256 = $3 \
                WHERE id = $4 AND idle_ends_at_ms > $1";
    let values = [now.ms().into(), proved_by.name().into(), token_sha256.to_vec().into(), id.uuid().into()];
    Ok(Sql::with(text, values).run(tx).await? == 1)
}

/// Gives a session another token: after every change of what its person may do. `false` where it has ended.
///
/// # Errors
/// See [`StoreError`].
pub async fn replace_token(
    tx: &SystemTx,
    id: SessionId,
    token_sha256: &[u8; 32],
    now: Timestamp,
) -> Result<bool, StoreError> {
    let text = "UPDATE sessions SET token_sha256 = $1 WHERE id = $2 AND idle_ends_at_ms > $3";
    let values = [token_sha256.to_vec().into(), id.uuid().into(), now.ms().into()];
    Ok(Sql::with(text, values).run(tx).await? == 1)
}

/// The sessions of a person that still hold, newest first.
///
/// # Errors
/// See [`StoreError`].
pub async fn list_of_user(tx: &SystemTx, user_id: UserId, now: Timestamp) -> Result<Vec<SessionRow>, StoreError> {
    let text = "SELECT * FROM sessions WHERE user_id = $1 AND idle_ends_at_ms > $2 ORDER BY id DESC";
    let sql = Sql::with(text, [user_id.uuid().into(), now.ms().into()]);
    sql.models::<table::Entity>(tx).await?.into_iter().map(row).collect()
}

/// Ends one session of a person.
///
/// # Errors
/// [`StoreError::NotFound`] where the person has no such session.
pub async fn end(tx: &SystemTx, user_id: UserId, id: SessionId) -> Result<(), StoreError> {
    let text = "DELETE FROM sessions WHERE user_id = $1 AND id = $2";
    let ended = Sql::with(text, [user_id.uuid().into(), id.uuid().into()]).run(tx).await?;
    if ended == 0 { Err(StoreError::NotFound) } else { Ok(()) }
}

fn row(model: table::Model) -> Result<SessionRow, StoreError> {
    let proved_by = Proof::ALL.into_iter().find(|proof| proof.name() == model.proved_by);
    Ok(SessionRow {
        id: SessionId::from_uuid(model.id),
        user_id: UserId::from_uuid(model.user_id),
        created_at: Timestamp::from_ms(model.created_at_ms),
        seen_at: Timestamp::from_ms(model.seen_at_ms),
        idle_ends_at: Timestamp::from_ms(model.idle_ends_at_ms),
        ends_at: Timestamp::from_ms(model.ends_at_ms),
        address: model.address,
        device: model.device,
        proof_at: Timestamp::from_ms(model.proof_at_ms),
        proved_by: proved_by.ok_or(StoreError::Corrupt("proof of a session"))?,
    })
}
