//! Messages nobody could handle, kept to be looked at, replayed or discarded.

use crate::{
    Page, Paged, StoreError, SystemTx, TenantTx, Tx,
    entity::dead_letters as table,
    sql::{Sql, int, limit, time, uint},
};
use keyway_domain::{MessageId, TenantId, Timestamp};

/// The reason of a letter whose operation was given up: its body is the last attempt's message.
pub const EXHAUSTED: &str = "exhausted";

/// A dead letter as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetterRow {
    /// Its id: the message's where that is known, so that filing it twice is one row.
    pub id: MessageId,
    /// Whose it is, where that could be read.
    pub tenant_id: Option<TenantId>,
    /// The lane it was on, as the build that filed it names it: this one need not have such a lane.
    pub lane: String,
    /// Why it is here, one word: `malformed`, `unknown_kind`, `crashed`, ...
    pub reason: String,
    /// What went wrong, in a sentence.
    pub error: String,
    /// The body as it came.
    pub body: Vec<u8>,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was filed.
    pub created_at: Timestamp,
    /// When it was last replayed.
    pub replayed_at: Option<Timestamp>,
}

/// Files a dead letter. One that waits for a decision already stays as it is; one that was replayed, and
/// comes back, waits for a decision again.
///
/// # Errors
/// See [`StoreError`].
pub async fn insert(tx: &SystemTx, letter: DeadLetterRow) -> Result<(), StoreError> {
    let mut sql = Sql::new(
        "INSERT INTO dead_letters (id, tenant_id, lane, reason, error, body, attempts, created_at_ms) VALUES (",
    );
    sql.bind(letter.id.uuid()).push(", ").bind(letter.tenant_id.map(TenantId::uuid)).push(", ");
    sql.bind(letter.lane).push(", ").bind(letter.reason).push(", ").bind(letter.error).push(", ");
    sql.bind(letter.body).push(", ").bind(int(letter.attempts)).push(", ").bind(letter.created_at.ms());
    sql.push(
        ") ON CONFLICT (id) DO UPDATE SET reason = excluded.reason, error = excluded.error, body = excluded.body, \
         attempts = excluded.attempts, created_at_ms = excluded.created_at_ms, replayed_at_ms = NULL \
         WHERE dead_letters.replayed_at_ms IS NOT NULL",
    );
    sql.run(tx).await?;
    Ok(())
}

/// One dead letter.
///
/// # Errors
/// See [`StoreError`].
pub async fn find(tx: &TenantTx, id: MessageId) -> Result<Option<DeadLetterRow>, StoreError> {
    let text = "SELECT * FROM dead_letters WHERE tenant_id = $1 AND id = $2";
    let sql = Sql::with(text, [tx.tenant_id().uuid().into(), id.uuid().into()]);
    Ok(sql.models::<table::Entity>(tx).await?.pop().map(row))
}

/// Dead letters of the tenant by id, latest first.
///
/// # Errors
/// See [`StoreError`].
pub async fn list(tx: &TenantTx, page: Page<MessageId>) -> Result<Paged<DeadLetterRow>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM dead_letters WHERE tenant_id = ");
    sql.bind(tx.tenant_id().uuid());
    rows(tx, sql, page).await
}

/// Dead letters of every tenant and of none, for the operator.
///
/// # Errors
/// See [`StoreError`].
pub async fn list_all(tx: &SystemTx, page: Page<MessageId>) -> Result<Paged<DeadLetterRow>, StoreError> {
    rows(tx, Sql::new("SELECT * FROM dead_letters WHERE true"), page).await
}

/// One dead letter of whichever tenant, or of none, for the operator.
///
/// # Errors
/// See [`StoreError`].
pub async fn find_any(tx: &SystemTx, id: MessageId) -> Result<Option<DeadLetterRow>, StoreError> {
    let sql = Sql::with("SELECT * FROM dead_letters WHERE id = $1", [id.uuid().into()]);
    Ok(sql.models::<table::Entity>(tx).await?.pop().map(row))
}

/// Dead letters that wait for a decision for one of these reasons, by id: the next ones after `after`.
///
/// # Errors
/// See [`StoreError`].
pub async fn waiting(
    tx: &SystemTx,
    reasons: &[&str],
    after: Option<MessageId>,
    rows: u64,
) -> Result<Vec<DeadLetterRow>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM dead_letters WHERE replayed_at_ms IS NULL AND reason IN (");
    sql.list(reasons.iter().copied()).push(")");
    if let Some(after) = after {
        sql.push(" AND id > ").bind(after.uuid());
    }
    sql.push(" ORDER BY id LIMIT ").bind(limit(rows));
    Ok(sql.models::<table::Entity>(tx).await?.into_iter().map(row).collect())
}

/// How many dead letters wait for a decision: those that were replayed do not.
///
/// # Errors
/// See [`StoreError`].
pub async fn count(tx: &SystemTx) -> Result<i64, StoreError> {
    Sql::new("SELECT count(*) AS n FROM dead_letters WHERE replayed_at_ms IS NULL").number(tx).await
}

/// Notes that a dead letter was replayed.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn mark_replayed(tx: &TenantTx, id: MessageId, now: Timestamp) -> Result<(), StoreError> {
    let text = "UPDATE dead_letters SET replayed_at_ms = $1 WHERE tenant_id = $2 AND id = $3";
    let values = [now.ms().into(), tx.tenant_id().uuid().into(), id.uuid().into()];
    if Sql::with(text, values).run(tx).await? == 0 { Err(StoreError::NotFound) } else { Ok(()) }
}

/// Discards a dead letter.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn delete(tx: &TenantTx, id: MessageId) -> Result<(), StoreError> {
    let text = "DELETE FROM dead_letters WHERE tenant_id = $1 AND id = $2";
    let deleted = Sql::with(text, [tx.tenant_id().uuid().into(), id.uuid().into()]).run(tx).await?;
    if deleted == 0 { Err(StoreError::NotFound) } else { Ok(()) }
}

/// Notes that a dead letter that belonged to no tenant was replayed, as one of this tenant.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn mark_unowned_replayed(
    tx: &SystemTx,
    id: MessageId,
    owner: TenantId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let text = "UPDATE dead_letters SET replayed_at_ms = $1, tenant_id = $2 WHERE tenant_id IS NULL AND id = $3";
    let values = [now.ms().into(), owner.uuid().into(), id.uuid().into()];
    if Sql::with(text, values).run(tx).await? == 0 { Err(StoreError::NotFound) } else { Ok(()) }
}

/// Notes that a dead letter was replayed because it can be read now, as one of this tenant. False when it does
/// not wait any more: somebody else replayed or discarded it.
///
/// # Errors
/// See [`StoreError`].
pub async fn mark_read(tx: &SystemTx, id: MessageId, owner: TenantId, now: Timestamp) -> Result<bool, StoreError> {
    let text = "UPDATE dead_letters SET replayed_at_ms = $1, tenant_id = $2 WHERE id = $3 AND replayed_at_ms IS NULL";
    let values = [now.ms().into(), owner.uuid().into(), id.uuid().into()];
    Ok(Sql::with(text, values).run(tx).await? == 1)
}

/// Discards a dead letter that belongs to no tenant, because it could not even be read that far.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn delete_unowned(tx: &SystemTx, id: MessageId) -> Result<(), StoreError> {
    let text = "DELETE FROM dead_letters WHERE tenant_id IS NULL AND id = $1";
    let deleted = Sql::with(text, [id.uuid().into()]).run(tx).await?;
    if deleted == 0 { Err(StoreError::NotFound) } else { Ok(()) }
}

async fn rows(tx: &impl Tx, mut sql: Sql, page: Page<MessageId>) -> Result<Paged<DeadLetterRow>, StoreError> {
    page.newest_first(&mut sql, ["id"], |after| [after.uuid().into()]);
    let rows = sql.models::<table::Entity>(tx).await?;
    Ok(Paged::of(&page, rows.into_iter().map(row).collect()))
}

fn row(model: table::Model) -> DeadLetterRow {
    DeadLetterRow {
        id: MessageId::from_uuid(model.id),
        tenant_id: model.tenant_id.map(TenantId::from_uuid),
        lane: model.lane,
        reason: model.reason,
        error: model.error,
        body: model.body,
        attempts: uint(model.attempts),
        created_at: Timestamp::from_ms(model.created_at_ms),
        replayed_at: time(model.replayed_at_ms),
    }
}
