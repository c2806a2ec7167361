//! The outbox: messages that were committed with the change they follow from, until they are handed over.
//!
//! Rows are claimed by flag, never by "greater than the last one seen": transactions commit out of order.

use keyway_domain::{Message, MessageId, OperationId, Route, Timestamp};
use sea_orm::{FromQueryResult, Value};

use crate::{
    StoreError, SystemTx, Tx,
    entity::outbox as table,
    sql::{Sql, chunk, limit, skip_locked},
    wakeups::CHANNEL,
};

/// A message that is to be handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// The message's id.
    pub id: MessageId,
    /// Where it goes.
    pub route: Route,
    /// The encoded message.
    pub body: Vec<u8>,
    /// Since when it may be handed over.
    pub available_at: Timestamp,
}

/// What waits on one route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteStats {
    /// The route.
    pub route: Route,
    /// Rows that may be handed over now, claimed ones included.
    pub ready: i64,
    /// Rows whose time is still to come.
    pub delayed: i64,
    /// Since when the oldest ready row waits.
    pub oldest_ready_at: Option<Timestamp>,
}

/// Writes messages that may be handed over from `available_at` on. A message that is there already,
/// by its id, is written once.
///
/// # Errors
/// [`StoreError::Corrupt`] for a message that cannot be encoded; otherwise see [`StoreError`].
pub async fn insert(tx: &impl Tx, messages: &[Message], available_at: Timestamp) -> Result<(), StoreError> {
    let due: Vec<_> = messages.iter().map(|message| (message, available_at)).collect();
    insert_due(tx, &due).await
}

/// Like [`insert`], each message with a time of its own.
///
/// # Errors
/// As [`insert`].
pub async fn insert_due(tx: &impl Tx, messages: &[(&Message, Timestamp)]) -> Result<(), StoreError> {
    for messages in messages.chunks(chunk(7)) {
        let rows = messages.iter().map(|(message, at)| values(message, *at)).collect::<Result<Vec<_>, _>>()?;
        let mut sql = Sql::new(
            "INSERT INTO outbox (id, tenant_id, route, operation_id, body, available_at_ms, created_at_ms) VALUES ",
        );
        sql.tuples(rows).push(" ON CONFLICT (id) DO NOTHING");
        sql.run(tx).await?;
    }
    if messages.is_empty() {
        return Ok(());
    }
    tx.wrote_outbox();
    if tx.is_postgres() {
        for route in Route::ALL.into_iter().filter(|route| messages.iter().any(|(it, _)| it.route() == *route)) {
            Sql::with("SELECT pg_notify($1, $2)", [CHANNEL.into(), route.name().into()]).run(tx).await?;
        }
    }
    Ok(())
}

/// Claims rows of a route that are due, oldest first; nobody else gets them before `until`.
///
/// # Errors
/// See [`StoreError`].
pub async fn claim(tx: &SystemTx, route: Route, rows: u64, until: Timestamp) -> Result<Vec<OutboxRow>, StoreError> {
    let now = Timestamp::now().ms();
    let mut sql = Sql::new("WITH due AS MATERIALIZED (SELECT id AS due_id FROM outbox WHERE route = ");
    sql.bind(route.name()).push(" AND available_at_ms <= ").bind(now);
    sql.push(" AND (claimed_until_ms IS NULL OR claimed_until_ms <= ").bind(now);
    sql.push(") ORDER BY available_at_ms, id LIMIT ").bind(limit(rows)).push(skip_locked(tx));
    sql.push(") UPDATE outbox SET claimed_until_ms = ").bind(until.ms());
    sql.push(" FROM due WHERE id = due_id RETURNING *");
    let mut claimed: Vec<_> = sql
        .models::<table::Entity>(tx)
        .await?
        .into_iter()
        .map(|model| OutboxRow {
            id: MessageId::from_uuid(model.id),
            route,
            body: model.body,
            available_at: Timestamp::from_ms(model.available_at_ms),
        })
        .collect();
    claimed.sort_unstable_by_key(|row| (row.available_at, row.id));
    Ok(claimed)
}

/// Deletes rows that were handed over.
///
/// # Errors
/// See [`StoreError`].
pub async fn delete(tx: &SystemTx, ids: &[MessageId]) -> Result<(), StoreError> {
    for ids in ids.chunks(chunk(1)) {
        let mut sql = Sql::new("DELETE FROM outbox WHERE id IN (");
        sql.list(ids.iter().map(|id| id.uuid())).push(")");
        sql.run(tx).await?;
    }
    Ok(())
}

/// Gives claimed rows back, to be tried again from `available_at` on.
///
/// # Errors
/// See [`StoreError`].
pub async fn release(tx: &SystemTx, ids: &[MessageId], available_at: Timestamp) -> Result<(), StoreError> {
    for ids in ids.chunks(chunk(1)) {
        let mut sql = Sql::new("UPDATE outbox SET claimed_until_ms = NULL, available_at_ms = ");
        sql.bind(available_at.ms()).push(" WHERE id IN (").list(ids.iter().map(|id| id.uuid())).push(")");
        sql.run(tx).await?;
    }
    Ok(())
}

/// Gives every claimed row back: for the start of the one process that has the embedded bus.
///
/// # Errors
/// See [`StoreError`].
pub async fn release_all(tx: &SystemTx) -> Result<u64, StoreError> {
    Sql::new("UPDATE outbox SET claimed_until_ms = NULL WHERE claimed_until_ms IS NOT NULL").run(tx).await
}

/// What waits on each route that has rows.
///
/// # Errors
/// See [`StoreError`].
pub async fn stats(tx: &SystemTx, now: Timestamp) -> Result<Vec<RouteStats>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        route: String,
        ready: i64,
        n: i64,
        oldest_ms: Option<i64>,
    }
    let text = "SELECT route, count(*) AS n, CAST(sum(CASE WHEN available_at_ms <= $1 THEN 1 ELSE 0 END) AS BIGINT) \
                AS ready, min(CASE WHEN available_at_ms <= $1 THEN available_at_ms END) AS oldest_ms \
                FROM outbox GROUP BY route";
    let rows = Sql::with(text, [now.ms().into()]).rows::<Row>(tx).await?;
    let stats = rows.into_iter().filter_map(|row| {
        let route = Route::ALL.into_iter().find(|route| route.name() == row.route)?;
        let oldest_ready_at = row.oldest_ms.map(Timestamp::from_ms);
        Some(RouteStats { route, ready: row.ready, delayed: row.n - row.ready, oldest_ready_at })
    });
    Ok(stats.collect())
}

fn values(message: &Message, available_at: Timestamp) -> Result<[Value; 7], StoreError> {
    Ok([
        message.id.uuid().into(),
        message.tenant_id.uuid().into(),
        message.route().name().into(),
        message.operation_id.map(OperationId::uuid).into(),
        message.encode().map_err(|_| StoreError::Corrupt("message"))?.into(),
        available_at.ms().into(),
        message.created_at.ms().into(),
    ])
}
