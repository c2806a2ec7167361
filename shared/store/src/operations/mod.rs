//! Operations: units of work that commands start and that the dashboard polls.
//!
//! Commands insert them; after that, only the status writer changes their state ([`crate::transitions`]), and their
//! owner may cancel them.

pub mod rounds;
mod row;

use std::collections::HashMap;

use keyway_domain::{Command, IntegrationId, OperationId, OperationKind, OperationState, Timestamp};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{
    Page, Paged, StoreError, TenantTx, Tx,
    entity::operations as table,
    replicas::{self, Answers},
    sql::{Sql, chunk, int},
    transitions,
};

pub use row::{NewOperation, OperationRow, Origin, Progress};
pub(crate) use row::{command_text, row};

/// Filter of a list of operations; `None` accepts any value.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    /// Kind.
    pub kind: Option<OperationKind>,
    /// State.
    pub state: Option<OperationState>,
    /// Parent operation.
    pub parent_id: Option<OperationId>,
    /// Integration.
    pub integration_id: Option<IntegrationId>,
}

/// Key of an operation in a list. The id of a child tells nothing of its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationKey {
    /// Time of creation.
    pub created_at: Timestamp,
    /// Id that orders operations of the same time.
    pub id: OperationId,
}

/// Adds an operation in state `queued`, attempt 1.
///
/// # Errors
/// [`StoreError::Conflict`] if the id is taken or the parent does not exist.
pub async fn insert(tx: &impl Tx, new: NewOperation, now: Timestamp) -> Result<OperationRow, StoreError> {
    let row = new.clone().row(now);
    insert_children(tx, std::slice::from_ref(&new), now).await?;
    Ok(row)
}

/// Adds many operations; skips ids that exist already. Returns the number added.
///
/// # Errors
/// See [`StoreError`].
pub async fn insert_children(tx: &impl Tx, new: &[NewOperation], now: Timestamp) -> Result<u64, StoreError> {
    Ok(insert_missing(tx, new, now).await?.len() as u64)
}

/// Works like [`insert_children`], but returns the ids that were added.
///
/// # Errors
/// See [`StoreError`].
pub async fn insert_missing(
    tx: &impl Tx,
    new: &[NewOperation],
    now: Timestamp,
) -> Result<Vec<OperationId>, StoreError> {
    let mut added = Vec::new();
    for new in new.chunks(chunk(10)) {
        let mut sql = Sql::new(
            "WITH n(n_id, n_tenant, n_parent, n_kind, n_origin, n_integration, n_total, n_due, n_created, n_command) \
             AS (VALUES ",
        );
        sql.tuples(new.iter().map(|new| new.values(now)));
        sql.push(
            ") INSERT INTO operations (id, tenant_id, parent_id, kind, origin, integration_id, state, attempt, total, \
             due_at_ms, created_at_ms, command) SELECT n_id, n_tenant, n_parent, n_kind, n_origin, n_integration, \
             'queued', 1, n_total, n_due, n_created, n_command FROM n WHERE true ON CONFLICT DO NOTHING RETURNING id",
        );
        added.extend(sql.ids(tx).await?.into_iter().map(OperationId::from_uuid));
    }
    Ok(added)
}

/// Returns one operation with its progress.
///
/// # Errors
/// See [`StoreError`].
pub async fn find(tx: &TenantTx, id: OperationId) -> Result<Option<OperationRow>, StoreError> {
    let text = "SELECT * FROM operations WHERE tenant_id = $1 AND id = $2";
    let sql = Sql::with(text, [tx.tenant_id().uuid().into(), id.uuid().into()]);
    let found = sql.models::<table::Entity>(tx).await?;
    Ok(with_progress(tx, found).await?.pop())
}

/// Returns operations, newest first, with their progress.
///
/// # Errors
/// See [`StoreError`].
pub async fn list(tx: &TenantTx, filter: &Filter, page: Page<OperationKey>) -> Result<Paged<OperationRow>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM operations WHERE tenant_id = ");
    sql.bind(tx.tenant_id().uuid());
    if let Some(kind) = filter.kind {
        sql.push(" AND kind = ").bind(kind.name());
    }
    if let Some(state) = filter.state {
        sql.push(" AND state = ").bind(state.name());
    }
    if let Some(parent_id) = filter.parent_id {
        sql.push(" AND parent_id = ").bind(parent_id.uuid());
    }
    if let Some(integration_id) = filter.integration_id {
        sql.push(" AND integration_id = ").bind(integration_id.uuid());
    }
    page.newest_first(&mut sql, ["created_at_ms", "id"], |after| {
        [after.created_at.ms().into(), after.id.uuid().into()]
    });
    let found = sql.models::<table::Entity>(tx).await?;
    Ok(Paged::of(&page, with_progress(tx, found).await?))
}

/// Cancels an operation that has not ended, with its children, and deletes their messages that are not claimed yet.
/// Returns `true` if the operation had not ended.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn cancel(tx: &TenantTx, id: OperationId, now: Timestamp) -> Result<bool, StoreError> {
    let before = find(tx, id).await?.ok_or(StoreError::NotFound)?;
    transitions::lock(tx, &[id]).await?;
    let tenant_id = tx.tenant_id().uuid();
    let text = "UPDATE operations SET state = 'cancelled', finished_at_ms = $1, due_at_ms = NULL \
                WHERE tenant_id = $2 AND (id = $3 OR parent_id = $3) AND state IN ('queued', 'running') RETURNING id";
    let cancelled = Sql::with(text, [now.ms().into(), tenant_id.into(), id.uuid().into()]).ids(tx).await?;
    let text = "DELETE FROM outbox WHERE tenant_id = $1 AND claimed_until_ms IS NULL AND operation_id IN \
                (SELECT id FROM operations WHERE tenant_id = $1 AND (id = $2 OR parent_id = $2))";
    if !cancelled.is_empty() {
        Sql::with(text, [tenant_id.into(), id.uuid().into()]).run(tx).await?;
    }
    if let Some(parent_id) = before.parent_id {
        transitions::complete_parents(tx, &[parent_id], now).await?;
    }
    Ok(cancelled.contains(&id.uuid()))
}

/// Puts a failed or cancelled operation back in the queue, one attempt further, as `command`. The caller writes the
/// message of that attempt in the same transaction. Returns the operation, or `None` if its state or attempt differs.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn retry(
    tx: &TenantTx,
    id: OperationId,
    attempt: u32,
    command: &Command,
    now: Timestamp,
) -> Result<Option<OperationRow>, StoreError> {
    let text = "UPDATE operations SET state = 'queued', attempt = attempt + 1, command = $1, due_at_ms = $2, \
                error_code = NULL, finished_at_ms = NULL, planned_at_ms = NULL \
                WHERE tenant_id = $3 AND id = $4 AND attempt = $5 AND state IN ('failed', 'cancelled')";
    let tenant_id = tx.tenant_id().uuid().into();
    let values = [command_text(command).into(), now.ms().into(), tenant_id, id.uuid().into(), int(attempt).into()];
    let changed = Sql::with(text, values).run(tx).await?;
    let row = find(tx, id).await?.ok_or(StoreError::NotFound)?;
    Ok((changed == 1).then_some(row))
}

async fn with_progress(tx: &impl Tx, found: Vec<table::Model>) -> Result<Vec<OperationRow>, StoreError> {
    let of = |kind: OperationKind| -> Vec<Uuid> {
        found.iter().filter(|it| it.kind == kind.name()).map(|it| it.id).collect()
    };
    let mut progress = progress_of(tx, &of(OperationKind::PlanUsage)).await?;
    for (id, Answers { acked, unanswered }) in replicas::answers(tx, &of(OperationKind::Revoke)).await? {
        let total = acked + i64::try_from(unanswered.len()).unwrap_or(i64::MAX);
        progress.insert(id, Progress { total, done: acked, failed: 0, unanswered });
    }
    let rows = found.into_iter().map(|model| {
        let progress = progress.remove(&model.id);
        row(model, progress)
    });
    rows.collect()
}

async fn progress_of(tx: &impl Tx, parents: &[Uuid]) -> Result<HashMap<Uuid, Progress>, StoreError> {
    #[derive(FromQueryResult)]
    struct Count {
        parent_id: Uuid,
        state: String,
        n: i64,
    }
    if parents.is_empty() {
        return Ok(HashMap::new());
    }
    let mut sql = Sql::new("SELECT parent_id, state, count(*) AS n FROM operations WHERE parent_id IN (");
    sql.list(parents.iter().copied()).push(") GROUP BY parent_id, state");
    let mut progress: HashMap<Uuid, Progress> = HashMap::new();
    for Count { parent_id, state, n } in sql.rows::<Count>(tx).await? {
        progress.entry(parent_id).or_default().add(OperationState::parse(&state), n);
    }
    Ok(progress)
}
