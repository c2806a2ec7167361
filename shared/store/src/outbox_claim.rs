//! Claiming outbox rows, fairly: a tenant with many due rows does not hold up another's few.
//!
//! Half of a claim goes by age, and if that half finds all due rows, no further query runs. Otherwise the other half is
//! shared equally among the tenants that have due rows, each found with one index look-up: the cost grows with the
//! claim and the tenants, never with the length of the outbox.

use keyway_domain::{MessageId, Route, Timestamp};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{
    StoreError, SystemTx, Tx,
    entity::outbox as table,
    sql::{Sql, limit, shared_time, skip_locked},
    transaction::sealed::Inner as _,
};

/// Largest number of tenants that one claim finds by name; further ones are served by age.
const MOST_TENANTS: usize = 256;

/// A message to hand to the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// The message's id.
    pub id: MessageId,
    /// Destination.
    pub route: Route,
    /// The encoded message.
    pub body: Vec<u8>,
    /// Time from which it may be handed over.
    pub available_at: Timestamp,
}

/// Claims rows of a route that are due; no other process gets them before `until`. Every tenant with due rows gets
/// some, as long as there are no more such tenants than half the rows.
///
/// # Errors
/// See [`StoreError`].
pub async fn claim(tx: &SystemTx, route: Route, rows: u64, until: Timestamp) -> Result<Vec<OutboxRow>, StoreError> {
    let claiming = Claiming { tx, route, now_ms: Timestamp::now().ms(), until_ms: until.ms() };
    let by_age = rows / 2;
    let mut claimed = claiming.oldest(by_age).await?;
    if claimed.len() as u64 == by_age {
        let tenants = claiming.tenants().await?;
        let left = rows - by_age;
        if tenants.len() > 1 {
            claimed.extend(claiming.shares(&tenants, left).await?);
        }
        let left = rows.saturating_sub(claimed.len() as u64);
        claimed.extend(claiming.oldest(left).await?);
    }
    claimed.sort_unstable_by_key(|row| (row.available_at, row.id));
    Ok(claimed)
}

/// Narrows a statement to rows that are due and not claimed.
pub(crate) fn due(sql: &mut Sql, tx: &impl Tx, now_ms: i64) {
    sql.push(" AND available_at_ms <= ");
    shared_time(sql, tx, now_ms);
    sql.push(" AND (claimed_until_ms IS NULL OR claimed_until_ms <= ");
    shared_time(sql, tx, now_ms);
    sql.push(")");
}

struct Claiming<'t> {
    tx: &'t SystemTx,
    route: Route,
    now_ms: i64,
    until_ms: i64,
}

impl Claiming<'_> {
    /// Returns the oldest rows, of any tenant.
    async fn oldest(&self, rows: u64) -> Result<Vec<OutboxRow>, StoreError> {
        if rows == 0 {
            return Ok(Vec::new());
        }
        let mut sql = Sql::new("WITH due AS MATERIALIZED (SELECT id AS due_id FROM outbox WHERE route = ");
        sql.bind(self.route.name());
        due(&mut sql, self.tx, self.now_ms);
        sql.push(" ORDER BY available_at_ms, id LIMIT ").bind(limit(rows)).push(skip_locked(self.tx));
        self.take(sql).await
    }

    /// Returns the oldest rows of each of these tenants, as many of each; together at most `rows`.
    async fn shares(&self, tenants: &[Uuid], rows: u64) -> Result<Vec<OutboxRow>, StoreError> {
        // Where there are more tenants than rows, chance decides who is served now.
        let mut tenants = tenants.to_vec();
        fastrand::shuffle(&mut tenants);
        tenants.truncate(usize::try_from(rows).unwrap_or(usize::MAX));
        let share = rows / (tenants.len() as u64).max(1);
        if self.tx.is_postgres() {
            return self.of_each(&tenants, share).await;
        }
        // SQLite has no LATERAL, and no way to a server that many small statements would have to go.
        let mut claimed = Vec::new();
        for tenant in tenants {
            let mut sql = Sql::new("WITH due AS MATERIALIZED (SELECT id AS due_id FROM outbox WHERE route = ");
            sql.bind(self.route.name()).push(" AND tenant_id = ").bind(tenant);
            due(&mut sql, self.tx, self.now_ms);
            sql.push(" ORDER BY available_at_ms, id LIMIT ").bind(limit(share));
            claimed.extend(self.take(sql).await?);
        }
        Ok(claimed)
    }

    async fn of_each(&self, tenants: &[Uuid], share: u64) -> Result<Vec<OutboxRow>, StoreError> {
        let mut sql = Sql::new("WITH due AS MATERIALIZED (SELECT own.id AS due_id FROM (VALUES ");
        sql.tuples(tenants.iter().map(|tenant| [(*tenant).into()]));
        sql.push(") AS t(owner), LATERAL (SELECT id FROM outbox WHERE route = ").bind(self.route.name());
        // A range and not an equality: else PostgreSQL may think the index by age as good, and read in it past
        // every row of the others.
        sql.push(" AND tenant_id >= t.owner AND tenant_id <= t.owner");
        due(&mut sql, self.tx, self.now_ms);
        sql.push(" ORDER BY tenant_id, available_at_ms, id LIMIT ").bind(limit(share));
        sql.push(skip_locked(self.tx)).push(") AS own");
        self.take(sql).await
    }

    /// Claims the rows found by `sql`, a statement with an open `WITH due`.
    async fn take(&self, mut sql: Sql) -> Result<Vec<OutboxRow>, StoreError> {
        sql.push(") UPDATE outbox SET claimed_until_ms = ");
        shared_time(&mut sql, self.tx, self.until_ms);
        sql.push(" FROM due WHERE id = due_id RETURNING *");
        let claimed = sql.models::<table::Entity>(self.tx).await?;
        let row = |model: table::Model| OutboxRow {
            id: MessageId::from_uuid(model.id),
            route: self.route,
            body: model.body,
            available_at: Timestamp::from_ms(model.available_at_ms),
        };
        Ok(claimed.into_iter().map(row).collect())
    }

    /// Returns tenants with due rows, by hopping through the index from one tenant to the next.
    async fn tenants(&self) -> Result<Vec<Uuid>, StoreError> {
        #[derive(FromQueryResult)]
        struct Tenant {
            tenant_id: Uuid,
        }
        let next = "SELECT tenant_id FROM outbox WHERE route = ";
        let mut sql = Sql::new("WITH RECURSIVE hop(tenant_id) AS (SELECT (");
        sql.push(next).bind(self.route.name()).push(" ORDER BY tenant_id LIMIT 1) UNION ALL SELECT (");
        sql.push(next).bind(self.route.name()).push(" AND tenant_id > hop.tenant_id ORDER BY tenant_id LIMIT 1)");
        sql.push(" FROM hop WHERE hop.tenant_id IS NOT NULL) SELECT tenant_id FROM hop WHERE tenant_id IS NOT NULL");
        // Not EXISTS: PostgreSQL would make a join of it, and while it does not know yet how full a queue has become, read
        // all rows that are due for it. In the order of the index, or it would read the table.
        sql.push(" AND (SELECT id FROM outbox AS waits WHERE waits.route = ").bind(self.route.name());
        sql.push(" AND waits.tenant_id >= hop.tenant_id AND waits.tenant_id <= hop.tenant_id");
        due(&mut sql, self.tx, self.now_ms);
        sql.push(" ORDER BY tenant_id, available_at_ms, id LIMIT 1) IS NOT NULL LIMIT ")
            .bind(limit(MOST_TENANTS as u64));
        Ok(sql.rows::<Tenant>(self.tx).await?.into_iter().map(|row| row.tenant_id).collect())
    }
}
