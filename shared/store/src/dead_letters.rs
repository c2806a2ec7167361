//! Dead letters: messages that no handler could process, kept for inspection, replay or discarding.

use crate::{
    Page, Paged, StoreError, SystemTx, TenantTx, Tx,
    entity::dead_letters as table,
    sql::{Sql, int, limit, time, uint},
};
use keyway_domain::{MessageId, TenantId, Timestamp};

/// Reason of a dead letter whose operation used up its attempts; the body is the last attempt's message.
pub const EXHAUSTED: &str = "exhausted";

/// A dead letter as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetterRow {
    /// Id: the message's, if it could be read, so that filing a message twice makes one row.
    pub id: MessageId,
    /// Tenant, if it could be read from the message.
    pub tenant_id: Option<TenantId>,
    /// Lane, as named by the build that filed the letter; this build may not have it.
    pub lane: String,
    /// Reason, one word: `malformed`, `unknown_kind`, `crashed`, ...
    pub reason: String,
    /// Error as one sentence.
    pub error: String,
    /// Body of the message, unchanged.
    pub body: Vec<u8>,
    /// Number of times the message was tried.
    pub attempts: u32,
    /// Time of filing.
    pub created_at: Timestamp,
    /// Time of the latest replay.
    pub replayed_at: Option<Timestamp>,
}

/// Files a dead letter. A row that still waits for a decision stays unchanged; a replayed one that comes back waits for
/// a decision again.
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

/// Returns one dead letter.
///
/// # Errors
/// See [`StoreError`].
pub async fn find(tx: &TenantTx, id: MessageId) -> Result<Option<DeadLetterRow>, StoreError> {
    let text = "SELECT * FROM dead_letters WHERE tenant_id = $1 AND id = $2";
    let sql = Sql::with(text, [tx.tenant_id().uuid().into(), id.uuid().into()]);
    Ok(sql.models::<table::Entity>(tx).await?.pop().map(row))
}

/// Returns dead letters of the tenant by id, latest first.
///
/// # Errors
/// See [`StoreError`].
pub async fn list(tx: &TenantTx, page: Page<MessageId>) -> Result<Paged<DeadLetterRow>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM dead_letters WHERE tenant_id = ");
    sql.bind(tx.tenant_id().uuid());
    rows(tx, sql, page).await
}

/// Returns dead letters of every tenant and of none, for the operator.
///
/// # Errors
/// See [`StoreError`].
pub async fn list_all(tx: &SystemTx, page: Page<MessageId>) -> Result<Paged<DeadLetterRow>, StoreError> {
    rows(tx, Sql::new("SELECT * FROM dead_letters WHERE true"), page).await
}

/// Returns one dead letter of any tenant or of none, for the operator.
///
/// # Errors
/// See [`StoreError`].
pub async fn find_any(tx: &SystemTx, id: MessageId) -> Result<Option<DeadLetterRow>, StoreError> {
    let sql = Sql::with("SELECT * FROM dead_letters WHERE id = $1", [id.uuid().into()]);
    Ok(sql.models::<table::Entity>(tx).await?.pop().map(row))
}

/// Returns dead letters that wait for a decision, filed for one of these reasons, by id, starting after `after`.
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

/// Counts dead letters that wait for a decision; replayed ones do not count.
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

/// Notes that a dead letter without a tenant was replayed as a message of this tenant.
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

/// Notes that a dead letter was replayed because this build can read it, as a message of this tenant. Returns `false`
/// if the letter no longer waits: it was replayed or discarded meanwhile.
///
/// # Errors
/// See [`StoreError`].
pub async fn mark_read(tx: &SystemTx, id: MessageId, owner: TenantId, now: Timestamp) -> Result<bool, StoreError> {
    let text = "UPDATE dead_letters SET replayed_at_ms = $1, tenant_id = $2 WHERE id = $3 AND replayed_at_ms IS NULL";
    let values = [now.ms().into(), owner.uuid().into(), id.uuid().into()];
    Ok(Sql::with(text, values).run(tx).await? == 1)
}

/// Discards a dead letter without a tenant, whose body could not be read far enough to name one.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn delete_unowned(tx: &SystemTx, id: MessageId) -> Result<(), StoreError> {
    let text = "DELETE FROM dead_letters WHERE tenant_id IS NULL AND id = $1";
    let deleted = Sql::with(text, [id.uuid().into()]).run(tx).await?;
    if deleted == 0 { Err(StoreError::NotFound) } else { Ok(()) }
}

async fn rows(tx: &impl Tx, mut sql: Sql, page: Page<MessageId>) -> Result<Paged<DeadLetterRow>, StoreError> {
    if let Some(after) = page.after {
        sql.push(" AND id < ").bind(after.uuid());
    }
    sql.push(" ORDER BY id DESC LIMIT ").bind(limit(page.probe()));
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
