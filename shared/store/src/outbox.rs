//! The outbox: messages that were committed with the change they follow from, until their effect has committed.
//!
//! Rows are claimed by flag, never by "greater than the last one seen": transactions commit out of order.
//! How they are shared among tenants is decided in `outbox_claim`.

use std::time::Duration;

use keyway_domain::{Message, MessageId, OperationId, Route, Timestamp};
use sea_orm::{FromQueryResult, Value};

use crate::{
    StoreError, SystemTx, Tx,
    outbox_claim::due,
    sql::{Sql, chunk, limit, own_time, shared_time},
    wakeups::CHANNEL,
};

pub use crate::outbox_claim::claim;

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

/// Counts of outbox rows on one route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteStats {
    /// The route.
    pub route: Route,
    /// Rows that may be handed over now.
    pub ready: i64,
    /// Rows handed over whose effect is not committed yet.
    pub in_flight: i64,
    /// Rows that are not due yet.
    pub delayed: i64,
    /// Due time of the oldest ready row.
    pub oldest_ready_at: Option<Timestamp>,
}

/// Size of the whole outbox, as far as admission needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Rows, due or not, counted up to the asked number.
    pub rows: u64,
    /// Due time of the oldest row that is due and not claimed.
    pub oldest_due_at: Option<Timestamp>,
}

/// Corrects due times after the clock went back by `by`: rows of a route due later than `now` become due that much
/// earlier. Only for the process with the embedded bus; on PostgreSQL all processes share the server's clock.
///
/// # Errors
/// See [`StoreError`].
pub async fn pull_back(tx: &SystemTx, route: Route, now: Timestamp, by: Duration) -> Result<u64, StoreError> {
    let text = "UPDATE outbox SET available_at_ms = available_at_ms - $1 WHERE route = $2 AND available_at_ms > $3";
    let by_ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    Sql::with(text, [by_ms.into(), route.name().into(), now.ms().into()]).run(tx).await
}

/// Writes messages that are due at once. They count as waiting since `since`, or since now if that lies ahead because
/// the clock went back. A message whose id is stored already is skipped.
///
/// # Errors
/// [`StoreError::Corrupt`] for a message that cannot be encoded; otherwise see [`StoreError`].
pub async fn insert(tx: &impl Tx, messages: &[Message], since: Timestamp) -> Result<(), StoreError> {
    let since = since.min(Timestamp::now());
    let due: Vec<_> = messages.iter().map(|message| (message, since)).collect();
    insert_due(tx, &due).await
}

/// Works like [`insert`], with a due time for each message.
///
/// # Errors
/// As for [`insert`].
pub async fn insert_due(tx: &impl Tx, messages: &[(&Message, Timestamp)]) -> Result<(), StoreError> {
    for messages in messages.chunks(chunk(7)) {
        let mut sql = Sql::new(
            "INSERT INTO outbox (id, tenant_id, route, operation_id, body, created_at_ms, available_at_ms) VALUES ",
        );
        for (index, (message, at)) in messages.iter().enumerate() {
            sql.push(if index > 0 { ", (" } else { "(" }).list(values(message)?).push(", ");
            shared_time(&mut sql, tx, at.ms());
            sql.push(")");
        }
        sql.push(" ON CONFLICT (id) DO NOTHING");
        sql.run(tx).await?;
    }
    if messages.is_empty() {
        return Ok(());
    }
    tx.wrote_outbox();
    if tx.is_postgres() {
        let routes = Route::ALL.into_iter().filter(|route| messages.iter().any(|(it, _)| it.route() == *route));
        let mut sql = Sql::new("SELECT ");
        for (index, route) in routes.enumerate() {
            sql.push(if index > 0 { ", pg_notify(" } else { "pg_notify(" }).list([CHANNEL, route.name()]).push(")");
        }
        sql.run(tx).await?;
    }
    Ok(())
}

/// Deletes rows whose effect is part of the same transaction, or that need none.
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

/// Releases claimed rows; they are due again at `available_at`.
///
/// # Errors
/// See [`StoreError`].
pub async fn release(tx: &SystemTx, ids: &[MessageId], available_at: Timestamp) -> Result<(), StoreError> {
    for ids in ids.chunks(chunk(1)) {
        let mut sql = Sql::new("UPDATE outbox SET claimed_until_ms = NULL, available_at_ms = ");
        shared_time(&mut sql, tx, available_at.ms());
        sql.push(" WHERE id IN (").list(ids.iter().map(|id| id.uuid())).push(")");
        sql.run(tx).await?;
    }
    Ok(())
}

/// Extends the claim of those rows that are still claimed to `until`.
///
/// # Errors
/// See [`StoreError`].
pub async fn hold(tx: &SystemTx, ids: &[MessageId], until: Timestamp) -> Result<(), StoreError> {
    for ids in ids.chunks(chunk(1)) {
        let mut sql = Sql::new("UPDATE outbox SET claimed_until_ms = ");
        shared_time(&mut sql, tx, until.ms());
        sql.push(" WHERE claimed_until_ms IS NOT NULL AND id IN (").list(ids.iter().map(|id| id.uuid())).push(")");
        sql.run(tx).await?;
    }
    Ok(())
}

/// Releases every claimed row, for a bus that has lost its messages. Returns their number.
///
/// # Errors
/// See [`StoreError`].
pub async fn release_all(tx: &SystemTx) -> Result<u64, StoreError> {
    Sql::new("UPDATE outbox SET claimed_until_ms = NULL WHERE claimed_until_ms IS NOT NULL").run(tx).await
}

/// Counts the rows of each route that has any.
///
/// # Errors
/// See [`StoreError`].
pub async fn stats(tx: &SystemTx, now: Timestamp) -> Result<Vec<RouteStats>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        route: String,
        ready: i64,
        in_flight: i64,
        n: i64,
        oldest_ms: Option<i64>,
    }
    let (is_ready, in_flight) = ("CASE WHEN true", "CASE WHEN claimed_until_ms > ");
    let mut sql = Sql::new("SELECT route, count(*) AS n, CAST(sum(");
    due(sql.push(is_ready), tx, now.ms());
    sql.push(" THEN 1 ELSE 0 END) AS BIGINT) AS ready, CAST(sum(").push(in_flight);
    shared_time(&mut sql, tx, now.ms());
    sql.push(" THEN 1 ELSE 0 END) AS BIGINT) AS in_flight, min(");
    due(sql.push(is_ready), tx, now.ms());
    sql.push(" THEN ");
    own_time(&mut sql, tx, "available_at_ms");
    sql.push(" END) AS oldest_ms FROM outbox GROUP BY route");
    let rows = sql.rows::<Row>(tx).await?;
    let stats = rows.into_iter().filter_map(|row| {
        let route = Route::ALL.into_iter().find(|route| route.name() == row.route)?;
        let (oldest_ready_at, delayed) = (row.oldest_ms.map(Timestamp::from_ms), row.n - row.ready - row.in_flight);
        Some(RouteStats { route, ready: row.ready, in_flight: row.in_flight, delayed, oldest_ready_at })
    });
    Ok(stats.collect())
}

/// Returns the due time of the next unclaimed row of a route, which may lie in the past; `None` if there is none.
///
/// # Errors
/// See [`StoreError`].
pub async fn next_due_at(tx: &SystemTx, route: Route) -> Result<Option<Timestamp>, StoreError> {
    #[derive(FromQueryResult)]
    struct Next {
        next_ms: Option<i64>,
    }
    let mut sql = Sql::new("SELECT ");
    own_time(&mut sql, tx, "min(available_at_ms)");
    sql.push(" AS next_ms FROM outbox WHERE claimed_until_ms IS NULL AND route = ").bind(route.name());
    let next = sql.rows::<Next>(tx).await?.pop();
    Ok(next.and_then(|row| row.next_ms).map(Timestamp::from_ms))
}

/// Measures the backlog, counting no further than `most` rows; cheap enough to run every second.
///
/// # Errors
/// See [`StoreError`].
pub async fn backlog(tx: &SystemTx, now: Timestamp, most: u64) -> Result<Backlog, StoreError> {
    #[derive(FromQueryResult)]
    struct Oldest {
        oldest_ms: Option<i64>,
    }
    let counted =
        Sql::with("SELECT count(*) AS n FROM (SELECT 1 FROM outbox LIMIT $1) AS counted", [limit(most).into()]);
    let rows = u64::try_from(counted.number(tx).await?).unwrap_or(0);
    // One look-up in the index per route, not one scan of the table.
    let mut sql = Sql::new("SELECT ");
    own_time(&mut sql, tx, "min(oldest_ms)");
    sql.push(" AS oldest_ms FROM (");
    for (index, route) in Route::ALL.into_iter().enumerate() {
        sql.push(if index > 0 { " UNION ALL " } else { "" });
        sql.push("SELECT min(available_at_ms) AS oldest_ms FROM outbox WHERE route = ").bind(route.name());
        due(&mut sql, tx, now.ms());
    }
    sql.push(") AS routes");
    let oldest = sql.rows::<Oldest>(tx).await?.pop().and_then(|row| row.oldest_ms);
    Ok(Backlog { rows, oldest_due_at: oldest.map(Timestamp::from_ms) })
}

fn values(message: &Message) -> Result<[Value; 6], StoreError> {
    Ok([
        message.id.uuid().into(),
        message.tenant_id.uuid().into(),
        message.route().name().into(),
        message.operation_id.map(OperationId::uuid).into(),
        message.encode().map_err(|_| StoreError::Corrupt("message"))?.into(),
        message.created_at.ms().into(),
    ])
}
