//! Chains that grow. Whoever appends holds the lock of the chain, so that no place is given twice and none left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use keyway_audit::{Entry, Hash, NO_HASH, Tree, bytes_of};
use keyway_domain::{TenantId, Timestamp};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::{
    StoreError, SystemTx,
    audit_record::AuditRecord,
    sql::{Sql, chunk, for_update},
};

const INTO: &str =
    "INSERT INTO audit_chains (tenant_id, size, hash, peaks, signed_size, signed_at_ms, adopts_until_ms) VALUES ";

/// Time from a chain's beginning in which it takes in what was appended past it.
const ADOPTION: Duration = Duration::from_secs(7 * 86_400);

/// Chains of some tenants, locked until the transaction ends.
pub(crate) struct Chains(BTreeMap<TenantId, Chain>);

struct Chain {
    tree: Tree,
    last: Hash,
}

#[derive(FromQueryResult)]
struct Row {
    tenant_id: Uuid,
    size: i64,
    hash: Vec<u8>,
    peaks: Vec<u8>,
}

impl Chains {
    /// Locks the chains of these tenants, all in one order; begins those that there are not.
    pub(crate) async fn lock(tx: &SystemTx, tenants: &BTreeSet<TenantId>) -> Result<Self, StoreError> {
        let found = Self::read(tx, tenants).await?;
        let new: Vec<_> = tenants.iter().filter(|tenant| !found.0.contains_key(tenant)).collect();
        if new.is_empty() {
            return Ok(found);
        }
        let mut sql = Sql::new(INTO);
        sql.tuples(new.into_iter().map(|tenant| Chain::begin().values(*tenant))).push(" ON CONFLICT DO NOTHING");
        sql.run(tx).await?;
        Self::read(tx, tenants).await
    }

    /// Appends events that are in the log and in no chain.
    pub(crate) async fn extend(mut self, tx: &SystemTx, records: &[&AuditRecord]) -> Result<(), StoreError> {
        let mut entries = Vec::with_capacity(records.len());
        for record in records {
            let chain = self.0.get_mut(&record.tenant_id).ok_or(StoreError::NotFound)?;
            entries.push((record, chain.next(bytes_of(record.event_id, record.tenant_id, &record.event))));
        }
        for entries in entries.chunks(chunk(5)) {
            let mut sql = Sql::new("INSERT INTO audit_entries (tenant_id, sequence, event_id, entry, hash) VALUES ");
            sql.tuples(entries.iter().map(|(record, entry)| -> [Value; 5] {
                [
                    record.tenant_id.uuid().into(),
                    entry.sequence.cast_signed().into(),
                    record.event_id.uuid().into(),
                    entry.bytes.clone().into(),
                    entry.hash.to_vec().into(),
                ]
            }));
            sql.run(tx).await?;
        }
        let mut sql = Sql::new(INTO);
        sql.tuples(self.0.iter().map(|(tenant, chain)| chain.values(*tenant)));
        sql.push(
            " ON CONFLICT (tenant_id) DO UPDATE SET size = excluded.size, hash = excluded.hash, peaks = excluded.peaks",
        );
        sql.run(tx).await.map(drop)
    }

    async fn read(tx: &SystemTx, tenants: &BTreeSet<TenantId>) -> Result<Self, StoreError> {
        let mut sql = Sql::new("SELECT tenant_id, size, hash, peaks FROM audit_chains WHERE tenant_id IN (");
        sql.list(tenants.iter().map(|tenant| tenant.uuid())).push(") ORDER BY tenant_id").push(for_update(tx));
        let mut chains = BTreeMap::new();
        for row in sql.rows::<Row>(tx).await? {
            chains.insert(TenantId::from_uuid(row.tenant_id), Chain::read(&row)?);
        }
        Ok(Self(chains))
    }
}

impl Chain {
    fn begin() -> Self {
        Self { tree: Tree::default(), last: NO_HASH }
    }

    fn read(row: &Row) -> Result<Self, StoreError> {
        let tree = tree(row.size, &row.peaks)?;
        let last = if tree.size() == 0 { Ok(NO_HASH) } else { row.hash.as_slice().try_into() };
        Ok(Self { tree, last: last.map_err(|_| StoreError::Corrupt("audit chain"))? })
    }

    fn next(&mut self, bytes: String) -> Entry {
        let entry = Entry::after(self.tree.size(), &self.last, bytes);
        self.tree.push(entry.hash);
        self.last = entry.hash;
        entry
    }

    /// Values of a new row. For a week, a writer that does not know of the chain may append to the log.
    fn values(&self, tenant_id: TenantId) -> [Value; 7] {
        let size = self.tree.size().cast_signed();
        let hash = self.last.to_vec();
        let until = Timestamp::now().after(ADOPTION).ms();
        [
            tenant_id.uuid().into(),
            size.into(),
            hash.into(),
            self.tree.peaks().into(),
            0_i64.into(),
            0_i64.into(),
            until.into(),
        ]
    }
}

/// Reads the tree of a chain's row.
pub(super) fn tree(size: i64, peaks: &[u8]) -> Result<Tree, StoreError> {
    Tree::of(size.cast_unsigned(), peaks).ok_or(StoreError::Corrupt("audit chain"))
}
