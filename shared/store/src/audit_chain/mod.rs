//! The audit chain of each tenant: its entries, the checkpoints that sign it, and older events that it takes in. The log
//! itself is [`audit`], whose appending is the chain's.

mod adopt;
mod extend;

use keyway_audit::{Entry, Hash};
use keyway_domain::{MessageId, TenantId, Timestamp};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{
    Page, Paged, StoreError, SystemTx, TenantTx, audit,
    audit_record::AuditRecord,
    sql::{Sql, limit},
};

pub use adopt::{adopt, adopting};
pub(crate) use extend::Chains;

/// Number of new entries after which a checkpoint is due at once.
const MANY: i64 = 1000;

/// Chain that a checkpoint is due for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsigned {
    /// Tenant.
    pub tenant_id: TenantId,
    /// Number of entries.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
}

/// Signed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// Number of entries that it holds.
    pub size: u64,
    /// Signed note.
    pub note: String,
    /// Time of the signature.
    pub created_at: Timestamp,
}

/// Entry of the chain beside what the log says of its event.
pub struct Chained {
    /// Entry.
    pub entry: Entry,
    /// Event that it was made of.
    pub event_id: MessageId,
    /// Log's row of the event, if there is one.
    pub record: Option<AuditRecord>,
}

/// State of a tenant's chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChainState {
    /// Number of entries.
    pub size: u64,
    /// Number of entries that the last checkpoint holds.
    pub signed_size: u64,
}

/// Returns chains with entries that no checkpoint holds, if there are many or the last checkpoint is from before `before`.
///
/// # Errors
/// See [`StoreError`].
pub async fn unsigned(tx: &SystemTx, before: Timestamp, rows: u64) -> Result<Vec<Unsigned>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        tenant_id: Uuid,
        size: i64,
        peaks: Vec<u8>,
    }
    let text = "SELECT tenant_id, size, peaks FROM audit_chains WHERE size > signed_size AND (signed_at_ms < $1 \
                OR size - signed_size >= $2) ORDER BY signed_at_ms LIMIT $3";
    let rows = Sql::with(text, [before.ms().into(), MANY.into(), limit(rows).into()]).rows::<Row>(tx).await?;
    let unsigned = |row: Row| {
        let tree = extend::tree(row.size, &row.peaks)?;
        Ok(Unsigned { tenant_id: TenantId::from_uuid(row.tenant_id), size: tree.size(), root: tree.root() })
    };
    rows.into_iter().map(unsigned).collect()
}

/// Stores a checkpoint, unless the chain has one of that size.
///
/// # Errors
/// See [`StoreError`].
pub async fn sign(tx: &SystemTx, tenant_id: TenantId, checkpoint: &StoredCheckpoint) -> Result<(), StoreError> {
    let (tenant, size, at) = (tenant_id.uuid(), checkpoint.size.cast_signed(), checkpoint.created_at.ms());
    let text = "INSERT INTO audit_checkpoints (tenant_id, size, note, created_at_ms) VALUES ($1, $2, $3, $4) \
                ON CONFLICT DO NOTHING";
    Sql::with(text, [tenant.into(), size.into(), checkpoint.note.as_str().into(), at.into()]).run(tx).await?;
    let text = "UPDATE audit_chains SET signed_size = $1, signed_at_ms = $2 WHERE tenant_id = $3 AND signed_size < $4";
    Sql::with(text, [size.into(), at.into(), tenant.into(), size.into()]).run(tx).await.map(drop)
}

/// Returns how far the tenant's chain goes, and how far it is signed.
///
/// # Errors
/// See [`StoreError`].
pub async fn state(tx: &TenantTx) -> Result<ChainState, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        size: i64,
        signed_size: i64,
    }
    let text = "SELECT size, signed_size FROM audit_chains WHERE tenant_id = $1";
    let row = Sql::with(text, [tx.tenant_id().uuid().into()]).rows::<Row>(tx).await?.pop();
    let state = |row: Row| ChainState { size: row.size.cast_unsigned(), signed_size: row.signed_size.cast_unsigned() };
    Ok(row.map_or_else(ChainState::default, state))
}

/// Returns checkpoints of the tenant, newest first; the key of a page is the size.
///
/// # Errors
/// See [`StoreError`].
pub async fn checkpoints(tx: &TenantTx, page: Page<u64>) -> Result<Paged<StoredCheckpoint>, StoreError> {
    let mut sql = Sql::new("SELECT size, note, created_at_ms FROM audit_checkpoints WHERE tenant_id = ");
    sql.bind(tx.tenant_id().uuid());
    page.newest_first(&mut sql, ["size"], |size| [size.cast_signed().into()]);
    Ok(Paged::of(&page, stored(tx, sql).await?))
}

/// Returns checkpoints of the tenant that hold more than `after` entries, the smallest first.
///
/// # Errors
/// See [`StoreError`].
pub async fn checkpoints_after(tx: &TenantTx, after: u64, rows: u64) -> Result<Vec<StoredCheckpoint>, StoreError> {
    let text = "SELECT size, note, created_at_ms FROM audit_checkpoints WHERE tenant_id = $1 AND size > $2 \
                ORDER BY size LIMIT $3";
    let values = [tx.tenant_id().uuid().into(), after.cast_signed().into(), limit(rows).into()];
    stored(tx, Sql::with(text, values)).await
}

/// Returns entries of the tenant behind the place `after`, in order, each with the log's row of its event.
///
/// # Errors
/// See [`StoreError`].
pub async fn entries(tx: &TenantTx, after: u64, rows: u64) -> Result<Vec<Chained>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        sequence: i64,
        event_id: Uuid,
        entry: String,
        hash: Vec<u8>,
    }
    let text = "SELECT sequence, event_id, entry, hash FROM audit_entries WHERE tenant_id = $1 AND sequence > $2 \
                ORDER BY sequence LIMIT $3";
    let values = [tx.tenant_id().uuid().into(), after.cast_signed().into(), limit(rows).into()];
    let rows = Sql::with(text, values).rows::<Row>(tx).await?;
    let ids: Vec<_> = rows.iter().map(|row| row.event_id).collect();
    let mut records = audit::by_ids(tx, &ids).await?;
    let chained = |row: Row| {
        let event_id = MessageId::from_uuid(row.event_id);
        let hash = row.hash.try_into().map_err(|_| StoreError::Corrupt("audit entry"))?;
        let entry = Entry { sequence: row.sequence.cast_unsigned(), bytes: row.entry, hash };
        Ok(Chained { entry, event_id, record: records.remove(&event_id) })
    };
    rows.into_iter().map(chained).collect()
}

/// Returns an event of the tenant that is in the log and in no chain, once the chain takes no more of them in; `None`: there is none.
///
/// # Errors
/// See [`StoreError`].
pub async fn stray(tx: &TenantTx) -> Result<Option<MessageId>, StoreError> {
    let text = "SELECT event_id AS id FROM audit_events AS e WHERE tenant_id = $1 \
                AND EXISTS (SELECT 1 FROM audit_chains AS c WHERE c.tenant_id = e.tenant_id AND c.adopts_until_ms = 0) \
                AND NOT EXISTS (SELECT 1 FROM audit_entries AS x WHERE x.event_id = e.event_id) LIMIT 1";
    let found = Sql::with(text, [tx.tenant_id().uuid().into()]).ids(tx).await?;
    Ok(found.first().copied().map(MessageId::from_uuid))
}

async fn stored(tx: &TenantTx, sql: Sql) -> Result<Vec<StoredCheckpoint>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        size: i64,
        note: String,
        created_at_ms: i64,
    }
    let checkpoint = |row: Row| StoredCheckpoint {
        size: row.size.cast_unsigned(),
        note: row.note,
        created_at: Timestamp::from_ms(row.created_at_ms),
    };
    Ok(sql.rows::<Row>(tx).await?.into_iter().map(checkpoint).collect())
}
