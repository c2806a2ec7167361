//! Replicas: processes that serve calls from memory, and their acknowledgements of revocations.
//!
//! A replica that has stopped its heartbeats holds nothing after a while, because cached entries live no longer than a
//! minute. Nothing here changes an operation's status.

use std::{collections::HashMap, time::Duration};

use keyway_domain::{Command, Invalidation, OperationId, ReplicaId, TenantId, Timestamp};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::{
    StoreError, SystemTx, Tx,
    sql::{Sql, chunk, limit, shared_time, uint},
};

/// Interval of a replica's heartbeats.
pub const BEAT: Duration = Duration::from_secs(5);
/// Time without a heartbeat after which a replica holds no cached entry any more: the last one has outlived its minute.
pub const GONE_AFTER: Duration = Duration::from_secs(75);

/// A replica's acknowledgement that it dropped the entries an operation revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Id of the operation.
    pub operation_id: OperationId,
    /// Tenant of the operation.
    pub tenant_id: TenantId,
    /// Replica that acknowledged.
    pub replica_id: ReplicaId,
    /// Time of the acknowledgement.
    pub at: Timestamp,
}

/// A revocation that a replica has not acknowledged yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    /// Id of the operation.
    pub id: OperationId,
    /// Tenant of the operation.
    pub tenant_id: TenantId,
    /// Current attempt of the operation.
    pub attempt: u32,
    /// Cache entries to drop.
    pub what: Invalidation,
    /// Time of acceptance.
    pub created_at: Timestamp,
}

/// Acknowledgements of one revocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// Number of replicas that acknowledged.
    pub acked: i64,
    /// Replicas that have not acknowledged.
    pub unanswered: Vec<ReplicaId>,
}

/// Stores a replica's heartbeat.
///
/// # Errors
/// See [`StoreError`].
pub async fn beat(tx: &SystemTx, id: ReplicaId) -> Result<(), StoreError> {
    let now_ms = Timestamp::now().ms();
    let mut sql = Sql::new("INSERT INTO replicas (id, started_at_ms, seen_at_ms) VALUES (");
    sql.bind(id.uuid()).push(", ");
    shared_time(&mut sql, tx, now_ms);
    sql.push(", ");
    shared_time(&mut sql, tx, now_ms);
    sql.push(") ON CONFLICT (id) DO UPDATE SET seen_at_ms = excluded.seen_at_ms");
    sql.run(tx).await.map(drop)
}

/// Deletes a replica that serves no calls any more.
///
/// # Errors
/// See [`StoreError`].
pub async fn leave(tx: &SystemTx, id: ReplicaId) -> Result<(), StoreError> {
    Sql::with("DELETE FROM replicas WHERE id = $1", [id.uuid().into()]).run(tx).await.map(drop)
}

/// Deletes replicas that have been gone for long.
///
/// # Errors
/// See [`StoreError`].
pub async fn delete_gone(tx: &SystemTx) -> Result<u64, StoreError> {
    let mut sql = Sql::new("DELETE FROM replicas WHERE seen_at_ms < ");
    shared_time(&mut sql, tx, Timestamp::now().before(GONE_AFTER * 8).ms());
    sql.run(tx).await
}

/// Stores the replicas whose acknowledgements these operations need, if they have not ended.
///
/// # Errors
/// See [`StoreError`].
pub async fn expect(tx: &SystemTx, operations: &[OperationId]) -> Result<(), StoreError> {
    if operations.is_empty() {
        return Ok(());
    }
    let mut sql = Sql::new(
        "INSERT INTO revocation_acks (operation_id, replica_id, tenant_id) \
         SELECT operations.id, replicas.id, operations.tenant_id FROM operations CROSS JOIN replicas \
         WHERE operations.state IN ('queued', 'running') AND operations.id IN (",
    );
    sql.list(operations.iter().map(|id| id.uuid())).push(") AND ");
    is_there(&mut sql, tx);
    sql.push(" ON CONFLICT (operation_id, replica_id) DO NOTHING");
    sql.run(tx).await.map(drop)
}

/// Stores acknowledgements; the first one of a replica counts.
///
/// # Errors
/// [`StoreError::Conflict`] if an operation is gone.
pub async fn record(tx: &SystemTx, acks: &[Ack]) -> Result<(), StoreError> {
    let mut acks = acks.to_vec();
    acks.sort_unstable_by_key(|ack| (ack.operation_id, ack.replica_id));
    acks.dedup_by_key(|ack| (ack.operation_id, ack.replica_id));
    for acks in acks.chunks(chunk(4)) {
        let mut sql =
            Sql::new("INSERT INTO revocation_acks (operation_id, replica_id, tenant_id, acked_at_ms) VALUES ");
        sql.tuples(acks.iter().map(|ack| -> [Value; 4] {
            let (operation, replica) = (ack.operation_id.uuid(), ack.replica_id.uuid());
            [operation.into(), replica.into(), ack.tenant_id.uuid().into(), ack.at.ms().into()]
        }));
        sql.push(
            " ON CONFLICT (operation_id, replica_id) DO UPDATE \
             SET acked_at_ms = COALESCE(revocation_acks.acked_at_ms, excluded.acked_at_ms)",
        );
        sql.run(tx).await?;
    }
    Ok(())
}

/// Returns revocations that have not ended, the oldest first, at most `most`.
///
/// # Errors
/// See [`StoreError`].
pub async fn pending(tx: &SystemTx, most: u64) -> Result<Vec<Pending>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        tenant_id: Uuid,
        attempt: i32,
        command: String,
        created_at_ms: i64,
    }
    let text = "SELECT id, tenant_id, attempt, command, created_at_ms FROM operations \
                WHERE kind = 'revoke' AND state IN ('queued', 'running') ORDER BY created_at_ms LIMIT $1";
    let rows = Sql::with(text, [limit(most).into()]).rows::<Row>(tx).await?;
    let pending = rows.into_iter().map(|row| match serde_json::from_str(&row.command) {
        Ok(Command::Revoke { what }) => Ok(Pending {
            id: OperationId::from_uuid(row.id),
            tenant_id: TenantId::from_uuid(row.tenant_id),
            attempt: uint(row.attempt),
            what,
            created_at: Timestamp::from_ms(row.created_at_ms),
        }),
        _ => Err(StoreError::Corrupt("command")),
    });
    pending.collect()
}

/// Appends the condition that a row of `replicas` may still hold cached entries.
pub(crate) fn is_there(sql: &mut Sql, tx: &impl Tx) {
    sql.push("replicas.seen_at_ms > ");
    shared_time(sql, tx, Timestamp::now().before(GONE_AFTER).ms());
}

/// Returns the acknowledgements of each of these operations.
pub(crate) async fn answers(tx: &impl Tx, operations: &[Uuid]) -> Result<HashMap<Uuid, Answers>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        operation_id: Uuid,
        replica_id: Uuid,
        acked_at_ms: Option<i64>,
    }
    if operations.is_empty() {
        return Ok(HashMap::new());
    }
    let mut sql = Sql::new("SELECT operation_id, replica_id, acked_at_ms FROM revocation_acks WHERE operation_id IN (");
    sql.list(operations.iter().copied()).push(") ORDER BY replica_id");
    let mut answers: HashMap<Uuid, Answers> = HashMap::new();
    for row in sql.rows::<Row>(tx).await? {
        let answers = answers.entry(row.operation_id).or_default();
        match row.acked_at_ms {
            Some(_) => answers.acked += 1,
            None => answers.unanswered.push(ReplicaId::from_uuid(row.replica_id)),
        }
    }
    Ok(answers)
}
