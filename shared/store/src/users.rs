//! People who can sign in. They are the installation's: what a tenant knows of them is their memberships.
//!
//! A password's hash leaves this module for a sign-in only.

use keyway_domain::{Email, SessionId, Timestamp, UserId};
use keyway_vault::SecretString;
use sea_orm::EntityTrait;

use crate::{
    Page, Paged, StoreError, SystemTx,
    entity::users as table,
    link_tokens, session_ends,
    sql::{Sql, for_share, time},
    transaction::sealed::Inner,
};

/// A person as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRow {
    /// Its id.
    pub id: UserId,
    /// The address, unique in the installation whatever its capitals.
    pub email: Email,
    /// The name it is shown by.
    pub name: String,
    /// The language it is written to in.
    pub locale: String,
    /// Whether it signs in with a password, too.
    pub has_password: bool,
    /// When that was last changed.
    pub password_changed_at: Option<Timestamp>,
    /// When it was shut out.
    pub disabled_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Counts its changes, for ETag and If-Match.
    pub version: i32,
}

/// What a new person is made of.
#[derive(Debug)]
pub struct NewUser {
    /// The address.
    pub email: Email,
    /// The name.
    pub name: String,
    /// The language.
    pub locale: String,
    /// The hash of a password; `None` for who signs in elsewhere.
    pub password_hash: Option<SecretString>,
}

/// What a sign-in is decided by.
#[derive(Debug)]
pub struct SignIn {
    /// Who would sign in; a disabled one must not.
    pub user: UserRow,
    /// The hash of its password.
    pub password_hash: Option<SecretString>,
}

/// Adds a person.
///
/// # Errors
/// [`StoreError::NameTaken`] when somebody has the address.
pub async fn insert(tx: &SystemTx, new: NewUser, now: Timestamp) -> Result<UserRow, StoreError> {
    let password_changed_at = new.password_hash.as_ref().map(|_| now);
    let model = table::Model {
        id: UserId::new().uuid(),
        email: new.email.as_given().to_owned(),
        email_key: new.email.key().to_owned(),
        name: new.name,
        locale: new.locale,
        password_hash: new.password_hash.map(|hash| hash.plain().clone()),
        password_changed_at_ms: password_changed_at.map(Timestamp::ms),
        disabled_at_ms: None,
        created_at_ms: now.ms(),
        version: 1,
    };
    let stored: table::ActiveModel = model.clone().into();
    match table::Entity::insert(stored).exec_without_returning(tx.db()).await.map_err(StoreError::from) {
        Err(StoreError::Conflict) => Err(StoreError::NameTaken),
        Err(error) => Err(error),
        Ok(_) => row(model),
    }
}

/// Whether there is anybody at all.
///
/// # Errors
/// See [`StoreError`].
pub async fn has_any(tx: &SystemTx) -> Result<bool, StoreError> {
    let sql = Sql::new("SELECT count(*) AS n FROM (SELECT 1 FROM users LIMIT 1) AS one");
    Ok(sql.number(tx).await? == 1)
}

/// One person.
///
/// # Errors
/// See [`StoreError`].
pub async fn find(tx: &SystemTx, id: UserId) -> Result<Option<UserRow>, StoreError> {
    of_ids(tx, &[id]).await.map(|mut rows| rows.pop())
}

/// Who has these ids, in no order: for lists of what only knows the id.
///
/// # Errors
/// See [`StoreError`].
pub async fn of_ids(tx: &SystemTx, ids: &[UserId]) -> Result<Vec<UserRow>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = Sql::new("SELECT * FROM users WHERE id IN (");
    sql.list(ids.iter().map(|id| id.uuid())).push(")");
    sql.models::<table::Entity>(tx).await?.into_iter().map(row).collect()
}

/// Who has this address, with what its password is compared with; disabled ones too.
///
/// # Errors
/// See [`StoreError`].
pub async fn find_for_sign_in(tx: &SystemTx, email: &Email) -> Result<Option<SignIn>, StoreError> {
    let sql = Sql::with("SELECT * FROM users WHERE email_key = $1", [email.key().into()]);
    sql.models::<table::Entity>(tx).await?.pop().map(sign_in).transpose()
}

/// One person with what its password is compared with: to prove itself anew in a session.
///
/// # Errors
/// See [`StoreError`].
pub async fn find_for_proof(tx: &SystemTx, id: UserId) -> Result<Option<SignIn>, StoreError> {
    let sql = Sql::with("SELECT * FROM users WHERE id = $1", [id.uuid().into()]);
    sql.models::<table::Entity>(tx).await?.pop().map(sign_in).transpose()
}

/// Holds a person as it was read until the transaction ends, so that nothing begins with what no longer proves it.
///
/// # Errors
/// [`StoreError::Stale`] when the person has changed, is shut out or is gone.
pub async fn hold(tx: &SystemTx, user: &UserRow) -> Result<(), StoreError> {
    let mut held = Sql::new("SELECT id FROM users WHERE disabled_at_ms IS NULL AND id = ");
    held.bind(user.id.uuid()).push(" AND version = ").bind(user.version).push(for_share(tx));
    if held.ids(tx).await?.is_empty() { Err(StoreError::Stale) } else { Ok(()) }
}

/// People, newest first.
///
/// # Errors
/// See [`StoreError`].
pub async fn list(tx: &SystemTx, page: Page<UserId>) -> Result<Paged<UserRow>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM users WHERE 1 = 1");
    page.newest_first(&mut sql, ["id"], |id| [id.uuid().into()]);
    let rows = sql.models::<table::Entity>(tx).await?.into_iter().map(row).collect::<Result<_, _>>()?;
    Ok(Paged::of(&page, rows))
}

/// Changes how a person is shown and written to, if the version is still `expected`.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Stale`].
pub async fn update(tx: &SystemTx, id: UserId, name: &str, locale: &str, expected: i32) -> Result<UserRow, StoreError> {
    let text = "UPDATE users SET version = version + 1, name = $1, locale = $2 WHERE id = $3 AND version = $4";
    let values = [name.into(), locale.into(), id.uuid().into(), expected.into()];
    let changed = Sql::with(text, values).run(tx).await?;
    let row = find(tx, id).await?.ok_or(StoreError::NotFound)?;
    if changed == 0 { Err(StoreError::Stale) } else { Ok(row) }
}

/// Gives a person another password. Its sessions end, except `keep`, and so do its links.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn set_password(
    tx: &SystemTx,
    id: UserId,
    hash: &SecretString,
    keep: Option<SessionId>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let text = "UPDATE users SET version = version + 1, password_hash = $1, password_changed_at_ms = $2 WHERE id = $3";
    let values = [hash.plain().as_str().into(), now.ms().into(), id.uuid().into()];
    changed(Sql::with(text, values).run(tx).await?)?;
    let _ = session_ends::end_all_of(tx, id, keep).await?;
    link_tokens::delete_of_user(tx, id).await
}

/// Puts a hash with today's parameters in the place of `old`, if that still holds. The password is the same: nothing
/// ends.
///
/// # Errors
/// See [`StoreError`].
pub async fn replace_hash(tx: &SystemTx, id: UserId, old: &SecretString, new: &SecretString) -> Result<(), StoreError> {
    let text = "UPDATE users SET password_hash = $1 WHERE id = $2 AND password_hash = $3";
    let values = [new.plain().as_str().into(), id.uuid().into(), old.plain().as_str().into()];
    Sql::with(text, values).run(tx).await.map(drop)
}

/// Shuts a person out: all its sessions end, and its links. Doing it again changes nothing.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn disable(tx: &SystemTx, id: UserId, now: Timestamp) -> Result<(), StoreError> {
    let text = "UPDATE users SET version = version + 1, disabled_at_ms = COALESCE(disabled_at_ms, $1) WHERE id = $2";
    changed(Sql::with(text, [now.ms().into(), id.uuid().into()]).run(tx).await?)?;
    let _ = session_ends::end_all_of(tx, id, None).await?;
    link_tokens::delete_of_user(tx, id).await
}

/// Lets a person in again.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn enable(tx: &SystemTx, id: UserId) -> Result<(), StoreError> {
    let text = "UPDATE users SET version = version + 1, disabled_at_ms = NULL WHERE id = $1";
    changed(Sql::with(text, [id.uuid().into()]).run(tx).await?)
}

fn changed(rows: u64) -> Result<(), StoreError> {
    if rows == 0 { Err(StoreError::NotFound) } else { Ok(()) }
}

fn sign_in(mut model: table::Model) -> Result<SignIn, StoreError> {
    let password_hash = model.password_hash.take().map(SecretString::from);
    let mut user = row(model)?;
    user.has_password = password_hash.is_some();
    Ok(SignIn { user, password_hash })
}

fn row(model: table::Model) -> Result<UserRow, StoreError> {
    Ok(UserRow {
        id: UserId::from_uuid(model.id),
        email: model.email.parse().map_err(|_| StoreError::Corrupt("address"))?,
        name: model.name,
        locale: model.locale,
        has_password: model.password_hash.is_some(),
        password_changed_at: time(model.password_changed_at_ms),
        disabled_at: time(model.disabled_at_ms),
        created_at: Timestamp::from_ms(model.created_at_ms),
        version: model.version,
    })
}
