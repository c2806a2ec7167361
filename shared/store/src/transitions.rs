//! The state machine of operations, guarded in SQL, many operations per statement.
//!
//! Only the status writer uses this. Every function returns the operations it changed; a late, repeated or outdated
//! step changes nothing. Call [`lock`] first with every operation of the transaction, so that two writers never
//! deadlock.

use keyway_domain::{Code, Command, OperationId, Timestamp};
use sea_orm::Value;
use uuid::Uuid;

use crate::{
    StoreError, SystemTx, Tx,
    entity::operations as table,
    operations::{OperationRow, command_text, row},
    replicas,
    sql::{Sql, chunk, for_update, int},
};

/// States that an operation can still leave.
const UNFINISHED: &str = "'queued', 'running'";

/// A step of one attempt of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Id of the operation.
    pub id: OperationId,
    /// Attempt that the step is about; an operation at another attempt is not changed.
    pub attempt: u32,
    /// Time of the step.
    pub at: Timestamp,
}

/// An operation that is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// At which step.
    pub step: Step,
    /// Reason.
    pub code: Code,
}

/// An attempt that another one is to follow.
#[derive(Clone, Debug)]
pub struct Deferral {
    /// Operation and attempt that ended.
    pub step: Step,
    /// Reason.
    pub code: Code,
    /// Due time of the next attempt.
    pub due_at: Timestamp,
    /// Command of the next attempt.
    pub next: Command,
    /// `true` if the attempt number stays the same.
    pub keeps_attempt: bool,
}

/// Reads operations and locks them, and their parents, until the transaction ends. Progress is not read.
///
/// # Errors
/// See [`StoreError`].
pub async fn lock(tx: &impl Tx, ids: &[OperationId]) -> Result<Vec<OperationRow>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let mut rows = Vec::new();
    for ids in ids.chunks(chunk(2)) {
        // Who its parent is never changes. In one statement with the lock, PostgreSQL would read the whole table.
        let mut sql =
            Sql::new("SELECT DISTINCT parent_id AS id FROM operations WHERE parent_id IS NOT NULL AND id IN (");
        sql.list(ids.iter().copied()).push(")");
        let parents = sql.ids(tx).await?;
        let mut sql = Sql::new("SELECT * FROM operations WHERE id IN (");
        sql.list(ids.iter().copied().chain(parents));
        // Parents before children, for everybody: who holds a parent may then take its children in any order.
        sql.push(") ORDER BY CASE WHEN parent_id IS NULL THEN 0 ELSE 1 END, id").push(for_update(tx));
        rows.extend(sql.models::<table::Entity>(tx).await?);
    }
    rows.into_iter().map(|model| row(model, None)).collect()
}

/// Moves `queued -> running`.
///
/// # Errors
/// See [`StoreError`].
pub async fn start(tx: &SystemTx, steps: &[Step]) -> Result<Vec<OperationId>, StoreError> {
    let set = "state = 'running', due_at_ms = NULL, started_at_ms = COALESCE(started_at_ms, s_at)";
    apply(tx, steps.iter().map(|step| (*step, None)), set, "'queued'").await
}

/// Moves `queued | running -> succeeded`.
///
/// # Errors
/// See [`StoreError`].
pub async fn succeed(tx: &SystemTx, steps: &[Step]) -> Result<Vec<OperationId>, StoreError> {
    let set = "state = 'succeeded', due_at_ms = NULL, error_code = NULL, finished_at_ms = s_at, \
               started_at_ms = COALESCE(started_at_ms, s_at)";
    apply(tx, steps.iter().map(|step| (*step, None)), set, UNFINISHED).await
}

/// Moves `queued | running -> failed`.
///
/// # Errors
/// See [`StoreError`].
pub async fn fail(tx: &SystemTx, failures: &[Failure]) -> Result<Vec<OperationId>, StoreError> {
    let set = "state = 'failed', due_at_ms = NULL, error_code = s_code, finished_at_ms = s_at, \
               started_at_ms = COALESCE(started_at_ms, s_at)";
    let steps = failures.iter().map(|failure| (failure.step, Some(failure.code)));
    apply(tx, steps, set, UNFINISHED).await
}

/// Moves `queued | running -> queued`, to the next attempt or the same one again. For each returned operation the
/// caller writes the outbox row of that attempt in the same transaction.
///
/// # Errors
/// See [`StoreError`].
pub async fn defer(tx: &SystemTx, deferrals: &[Deferral]) -> Result<Vec<OperationId>, StoreError> {
    let mut changed = Vec::new();
    for deferrals in deferrals.chunks(chunk(7)) {
        let mut sql = Sql::new("WITH s(s_id, s_attempt, s_at, s_code, s_due, s_command, s_more) AS (VALUES ");
        sql.tuples(deferrals.iter().map(|deferral| -> [Value; 7] {
            let Step { id, attempt, at } = deferral.step;
            [
                id.uuid().into(),
                int(attempt).into(),
                at.ms().into(),
                deferral.code.name().into(),
                deferral.due_at.ms().into(),
                command_text(&deferral.next).into(),
                int(u32::from(!deferral.keeps_attempt)).into(),
            ]
        }));
        sql.push(
            ") UPDATE operations SET state = 'queued', attempt = attempt + s_more, error_code = s_code, due_at_ms = s_due, \
             command = s_command, started_at_ms = COALESCE(started_at_ms, s_at) FROM s \
             WHERE id = s_id AND attempt = s_attempt AND state || '' IN (",
        );
        sql.push(UNFINISHED).push(") RETURNING id");
        changed.extend(sql.ids(tx).await?.into_iter().map(OperationId::from_uuid));
    }
    Ok(changed)
}

/// Notes that a fan-out has written all its `total` children; it ends when they all have.
///
/// # Errors
/// See [`StoreError`].
pub async fn planned(tx: &SystemTx, id: OperationId, total: i64, at: Timestamp) -> Result<bool, StoreError> {
    let text = "UPDATE operations SET total = $1, planned_at_ms = $2 \
                WHERE id = $3 AND planned_at_ms IS NULL AND state IN ('queued', 'running')";
    Ok(Sql::with(text, [total.into(), at.ms().into(), id.uuid().into()]).run(tx).await? == 1)
}

/// Ends those of the fan-outs `ids` whose children are all written and have all ended. Failed children do not fail the
/// fan-out; its progress counts them. Returns the fan-outs that ended now.
///
/// # Errors
/// See [`StoreError`].
pub async fn complete_parents(
    tx: &impl Tx,
    ids: &[OperationId],
    now: Timestamp,
) -> Result<Vec<OperationId>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    ids.sort_unstable();
    ids.dedup();
    // Two writers that end the last two children must see each other: the later one waits here, then counts.
    let mut sql = Sql::new("SELECT id FROM operations WHERE id IN (");
    sql.list(ids.iter().copied()).push(") ORDER BY id").push(for_update(tx));
    let ids = sql.ids(tx).await?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = Sql::new("UPDATE operations SET state = 'succeeded', error_code = NULL, due_at_ms = NULL, ");
    sql.push("finished_at_ms = ").bind(now.ms()).push(" WHERE id IN (").list(ids);
    sql.push(
        ") AND state IN ('queued', 'running') AND planned_at_ms IS NOT NULL AND NOT EXISTS (SELECT 1 FROM operations \
         AS child WHERE child.parent_id = operations.id AND child.state IN ('queued', 'running')) RETURNING id",
    );
    Ok(sql.ids(tx).await?.into_iter().map(OperationId::from_uuid).collect())
}

/// Ends those of the revocations `ids` that every live replica has acknowledged; a replica that is gone need not.
/// Returns the revocations that ended now.
///
/// # Errors
/// See [`StoreError`].
pub async fn complete_revocations(
    tx: &SystemTx,
    ids: &[OperationId],
    now: Timestamp,
) -> Result<Vec<OperationId>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = Sql::new("UPDATE operations SET state = 'succeeded', error_code = NULL, due_at_ms = NULL, ");
    sql.push("started_at_ms = COALESCE(started_at_ms, created_at_ms), finished_at_ms = ").bind(now.ms());
    sql.push(" WHERE kind = 'revoke' AND state IN ('queued', 'running') AND id IN (");
    sql.list(ids.iter().map(|id| id.uuid())).push(") AND NOT EXISTS (SELECT 1 FROM replicas WHERE ");
    replicas::is_there(&mut sql, tx);
    sql.push(
        " AND NOT EXISTS (SELECT 1 FROM revocation_acks AS ack WHERE ack.operation_id = operations.id \
         AND ack.replica_id = replicas.id AND ack.acked_at_ms IS NOT NULL)) RETURNING id",
    );
    Ok(sql.ids(tx).await?.into_iter().map(OperationId::from_uuid).collect())
}

async fn apply(
    tx: &SystemTx,
    steps: impl Iterator<Item = (Step, Option<Code>)>,
    set: &str,
    from: &str,
) -> Result<Vec<OperationId>, StoreError> {
    let steps: Vec<_> = steps.collect();
    let mut changed = Vec::new();
    for steps in steps.chunks(chunk(4)) {
        let mut sql = Sql::new("WITH s(s_id, s_attempt, s_at, s_code) AS (VALUES ");
        sql.tuples(steps.iter().map(|(step, code)| -> [Value; 4] {
            let code = code.map(Code::name);
            [step.id.uuid().into(), int(step.attempt).into(), step.at.ms().into(), code.into()]
        }));
        sql.push(") UPDATE operations SET ").push(set).push(" FROM s WHERE id = s_id AND attempt = s_attempt");
        // Not the bare column: while a table grows fast, PostgreSQL would otherwise walk all rows of a state by its
        // index for a few that it could find by their keys.
        sql.push(" AND state || '' IN (").push(from).push(") RETURNING id");
        changed.extend(sql.ids(tx).await?.into_iter().map(OperationId::from_uuid));
    }
    Ok(changed)
}
