//! Projects of a tenant.

use keyway_domain::{Limits, NanoUsd, ProjectId, TenantId, Timestamp};
use sea_orm::FromQueryResult;

use crate::{
    Page, Paged, Place, PlaceValue, Sort, SortBy, StoreError, SystemTx, TenantTx, Tx,
    entity::projects as table,
    limits::{assign, columns, stored_limits},
    only,
    slices::Slice,
    sort,
    sql::Sql,
};

/// Name of the project used if none is named.
pub const DEFAULT_NAME: &str = "default";

/// A project as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectRow {
    /// Its id.
    pub id: ProjectId,
    /// Tenant that owns it.
    pub tenant_id: TenantId,
    /// Name, unique in the tenant.
    pub name: String,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Number of changes, for ETag and If-Match.
    pub version: i32,
    /// Limits of its virtual keys together.
    pub limits: Limits,
    /// Monthly budget in nano-USD for calls with the operator's key; `None`: the project has not consented to them.
    pub fallback_budget_nano_usd: Option<NanoUsd>,
}

impl ProjectRow {
    /// Returns its place in a list sorted by name or by creation.
    #[must_use]
    pub fn place(&self, by: SortBy) -> Place {
        match by {
            SortBy::Name => Place { by, value: PlaceValue::Text(self.name.clone()), id: self.id.uuid() },
            _ => Place::of_id(self.id.uuid()),
        }
    }
}

/// Metered calls of a project with the operator's key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromQueryResult)]
pub struct FallbackUse {
    /// Number of calls.
    pub requests: i64,
    /// Calls whose cost is unknown; `cost_nano_usd` leaves them out.
    pub unpriced_requests: i64,
    /// Cost of the other calls.
    pub cost_nano_usd: NanoUsd,
}

/// Adds the project `default` to a tenant if it is missing.
///
/// # Errors
/// See [`StoreError`].
pub async fn ensure_default(tx: &SystemTx, tenant_id: TenantId, now: Timestamp) -> Result<(), StoreError> {
    insert_if_free(tx, &new(tenant_id, DEFAULT_NAME, Limits::default(), None, now)).await.map(drop)
}

/// Adds a project.
///
/// # Errors
/// [`StoreError::NameTaken`].
pub async fn insert(
    tx: &TenantTx,
    name: &str,
    limits: Limits,
    fallback_budget_nano_usd: Option<NanoUsd>,
    now: Timestamp,
) -> Result<ProjectRow, StoreError> {
    let row = new(tx.tenant_id(), name, limits, fallback_budget_nano_usd, now);
    if insert_if_free(tx, &row).await? { Ok(row) } else { Err(StoreError::NameTaken) }
}

/// Returns one project.
///
/// # Errors
/// See [`StoreError`].
pub async fn find(tx: &TenantTx, id: ProjectId) -> Result<Option<ProjectRow>, StoreError> {
    let text = "SELECT * FROM projects WHERE tenant_id = $1 AND id = $2";
    one(tx, Sql::with(text, [tx.tenant_id().uuid().into(), id.uuid().into()])).await
}

/// Returns one project by its name.
///
/// # Errors
/// See [`StoreError`].
pub async fn find_by_name(tx: &TenantTx, name: &str) -> Result<Option<ProjectRow>, StoreError> {
    let text = "SELECT * FROM projects WHERE tenant_id = $1 AND name = $2";
    one(tx, Sql::with(text, [tx.tenant_id().uuid().into(), name.into()])).await
}

/// Returns projects in the given order: those whose name contains the searched text and that are among `within`, or all.
///
/// # Errors
/// See [`StoreError`].
pub async fn list(
    tx: &TenantTx,
    (search, within): (Option<&str>, Option<&[ProjectId]>),
    sort: Sort,
    page: Page<Place>,
) -> Result<Paged<ProjectRow>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM projects WHERE tenant_id = ");
    sql.bind(tx.tenant_id().uuid());
    only::within(&mut sql, "id", within);
    sort::search(&mut sql, search);
    sort::page(&mut sql, sort, &page);
    Ok(Paged::of(&page, sql.models::<table::Entity>(tx).await?.into_iter().map(row).collect()))
}

/// Changes a project's name, limits and consent, if the version still equals `expected`.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Stale`], [`StoreError::NameTaken`].
pub async fn update(
    tx: &TenantTx,
    id: ProjectId,
    name: &str,
    limits: &Limits,
    fallback_budget_nano_usd: Option<NanoUsd>,
    expected: i32,
) -> Result<ProjectRow, StoreError> {
    let mut sql = Sql::new("UPDATE projects SET version = version + 1, name = ");
    sql.bind(name);
    assign(&mut sql, limits);
    sql.push(", fallback_budget_nano_usd = ").bind(fallback_budget_nano_usd);
    sql.push(" WHERE tenant_id = ").bind(tx.tenant_id().uuid()).push(" AND id = ").bind(id.uuid());
    sql.push(" AND version = ").bind(expected);
    let changed = match sql.run(tx).await {
        Err(StoreError::Conflict) => return Err(StoreError::NameTaken),
        changed => changed?,
    };
    let row = find(tx, id).await?.ok_or(StoreError::NotFound)?;
    if changed == 0 { Err(StoreError::Stale) } else { Ok(row) }
}

/// Deletes a project with its virtual keys; with `expected`, only if its version still equals it. A project with
/// integrations is kept, and `default` always is.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Stale`], [`StoreError::Conflict`].
pub async fn delete(tx: &TenantTx, id: ProjectId, expected: Option<i32>) -> Result<(), StoreError> {
    let project = find(tx, id).await?.ok_or(StoreError::NotFound)?;
    if project.name == DEFAULT_NAME {
        return Err(StoreError::Conflict);
    }
    let expected = expected.unwrap_or(project.version);
    let text = "DELETE FROM projects WHERE tenant_id = $1 AND id = $2 AND version = $3";
    let deleted = Sql::with(text, [tx.tenant_id().uuid().into(), id.uuid().into(), expected.into()]).run(tx).await?;
    if deleted == 0 { Err(StoreError::Stale) } else { Ok(()) }
}

/// Sums the calls with the operator's key since the start of the UTC month of `now`.
///
/// # Errors
/// See [`StoreError`].
pub async fn fallback_use(tx: &TenantTx, id: ProjectId, now: Timestamp) -> Result<FallbackUse, StoreError> {
    let text = "SELECT CAST(COALESCE(sum(requests), 0) AS BIGINT) AS requests, \
                CAST(COALESCE(sum(unpriced_requests), 0) AS BIGINT) AS unpriced_requests, \
                CAST(COALESCE(sum(cost_nano_usd), 0) AS BIGINT) AS cost_nano_usd FROM usage_rollups \
                WHERE tenant_id = $1 AND slice = $2 AND start_ms >= $3 AND project_id = $4 AND credential = 'fallback'";
    let (tenant_id, since) = (tx.tenant_id().uuid().into(), now.month_start().ms().into());
    let values = [tenant_id, Slice::DayTotal.name().into(), since, id.uuid().into()];
    Ok(Sql::with(text, values).rows(tx).await?.pop().unwrap_or_default())
}

fn new(
    tenant_id: TenantId,
    name: &str,
    limits: Limits,
    fallback_budget_nano_usd: Option<NanoUsd>,
    now: Timestamp,
) -> ProjectRow {
    let (id, name) = (ProjectId::new(), name.to_owned());
    ProjectRow { id, tenant_id, name, created_at: now, version: 1, limits, fallback_budget_nano_usd }
}

async fn insert_if_free(tx: &impl Tx, new: &ProjectRow) -> Result<bool, StoreError> {
    let text = "INSERT INTO projects (id, tenant_id, name, created_at_ms, version, requests_per_minute, \
                tokens_per_minute, daily_budget_nano_usd, monthly_budget_nano_usd, fallback_budget_nano_usd) \
                VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING";
    let (id, tenant_id, name) = (new.id.uuid().into(), new.tenant_id.uuid().into(), new.name.as_str().into());
    let [requests, tokens, daily, monthly] = columns(&new.limits).map(|(_, limit)| limit);
    let values = [id, tenant_id, name, new.created_at.ms().into(), requests, tokens, daily, monthly];
    let values = values.into_iter().chain([new.fallback_budget_nano_usd.into()]);
    Ok(Sql::with(text, values).run(tx).await? == 1)
}

async fn one(tx: &TenantTx, sql: Sql) -> Result<Option<ProjectRow>, StoreError> {
    Ok(sql.models::<table::Entity>(tx).await?.pop().map(row))
}

fn row(model: table::Model) -> ProjectRow {
    ProjectRow {
        id: ProjectId::from_uuid(model.id),
        tenant_id: TenantId::from_uuid(model.tenant_id),
        name: model.name,
        created_at: Timestamp::from_ms(model.created_at_ms),
        version: model.version,
        limits: stored_limits!(model),
        fallback_budget_nano_usd: model.fallback_budget_nano_usd,
    }
}
