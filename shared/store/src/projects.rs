//! Projects of a tenant.

use keyway_domain::{ProjectId, TenantId, Timestamp};

use crate::{
    Page, Paged, StoreError, SystemTx, TenantTx, Tx,
    entity::projects as table,
    sql::{Sql, limit},
};

/// The name of the project that is used where none is named.
pub const DEFAULT_NAME: &str = "default";

/// A project as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectRow {
    /// Its id.
    pub id: ProjectId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Its name, unique in the tenant.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Counts its changes, for ETag and If-Match.
    pub version: i32,
}

/// Makes the project `default` of a tenant when it is missing.
///
/// # Errors
/// See [`StoreError`].
pub async fn ensure_default(tx: &SystemTx, tenant_id: TenantId, now: Timestamp) -> Result<(), StoreError> {
    insert_if_free(tx, tenant_id, ProjectId::new(), DEFAULT_NAME, now).await.map(drop)
}

/// Adds a project.
///
/// # Errors
/// [`StoreError::NameTaken`].
pub async fn insert(tx: &TenantTx, name: &str, now: Timestamp) -> Result<ProjectRow, StoreError> {
    let row = ProjectRow {
        id: ProjectId::new(),
        tenant_id: tx.tenant_id(),
        name: name.to_owned(),
        created_at: now,
        version: 1,
    };
    if insert_if_free(tx, row.tenant_id, row.id, name, now).await? { Ok(row) } else { Err(StoreError::NameTaken) }
}

/// One project.
///
/// # Errors
/// See [`StoreError`].
pub async fn find(tx: &TenantTx, id: ProjectId) -> Result<Option<ProjectRow>, StoreError> {
    let text = "SELECT * FROM projects WHERE tenant_id = $1 AND id = $2";
    one(tx, Sql::with(text, [tx.tenant_id().uuid().into(), id.uuid().into()])).await
}

/// One project by its name.
///
/// # Errors
/// See [`StoreError`].
pub async fn find_by_name(tx: &TenantTx, name: &str) -> Result<Option<ProjectRow>, StoreError> {
    let text = "SELECT * FROM projects WHERE tenant_id = $1 AND name = $2";
    one(tx, Sql::with(text, [tx.tenant_id().uuid().into(), name.into()])).await
}

/// Projects, newest first.
///
/// # Errors
/// See [`StoreError`].
pub async fn list(tx: &TenantTx, page: Page<ProjectId>) -> Result<Paged<ProjectRow>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM projects WHERE tenant_id = ");
    sql.bind(tx.tenant_id().uuid());
    if let Some(after) = page.after {
        sql.push(" AND id < ").bind(after.uuid());
    }
    sql.push(" ORDER BY id DESC LIMIT ").bind(limit(page.probe()));
    Ok(Paged::of(&page, sql.models::<table::Entity>(tx).await?.into_iter().map(row).collect()))
}

/// Gives a project another name; with `expected`, only if its version is still that one.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Stale`], [`StoreError::NameTaken`].
pub async fn rename(tx: &TenantTx, id: ProjectId, name: &str, expected: Option<i32>) -> Result<ProjectRow, StoreError> {
    let before = find(tx, id).await?.ok_or(StoreError::NotFound)?;
    let expected = expected.unwrap_or(before.version);
    let text = "UPDATE projects SET name = $1, version = version + 1 \
                WHERE tenant_id = $2 AND id = $3 AND version = $4";
    let values = [name.into(), tx.tenant_id().uuid().into(), id.uuid().into(), expected.into()];
    match Sql::with(text, values).run(tx).await {
        Ok(0) => Err(StoreError::Stale),
        Ok(_) => Ok(ProjectRow { name: name.to_owned(), version: expected + 1, ..before }),
        Err(StoreError::Conflict) => Err(StoreError::NameTaken),
        Err(error) => Err(error),
    }
}

/// Deletes a project with its virtual keys; with `expected`, only if its version is still that one.
/// One that still has integrations is kept, and `default` always is.
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

async fn insert_if_free(
    tx: &impl Tx,
    tenant_id: TenantId,
    id: ProjectId,
    name: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let text = "INSERT INTO projects (id, tenant_id, name, created_at_ms, version) VALUES ($1, $2, $3, $4, 1) \
                ON CONFLICT DO NOTHING";
    let values = [id.uuid().into(), tenant_id.uuid().into(), name.into(), now.ms().into()];
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
    }
}
