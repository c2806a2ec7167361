//! Tenants. They are added and listed across tenants, hence by a [`SystemTx`].

use keyway_domain::{TenantId, Timestamp};

use crate::{
    Page, Paged, StoreError, SystemTx, Tx,
    entity::tenants as table,
    projects,
    sql::{Sql, limit},
};

/// Name of the tenant that the admin key acts in by default.
pub const DEFAULT_NAME: &str = "default";

/// A tenant as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantRow {
    /// Its id.
    pub id: TenantId,
    /// Name, unique in the installation.
    pub name: String,
    /// Time of creation.
    pub created_at: Timestamp,
}

/// Returns the tenant `default`; adds it, with its project `default`, if it is missing.
///
/// # Errors
/// See [`StoreError`].
pub async fn ensure_default(tx: &SystemTx, now: Timestamp) -> Result<TenantRow, StoreError> {
    let row = TenantRow { id: TenantId::new(), name: DEFAULT_NAME.to_owned(), created_at: now };
    insert_if_free(tx, &row).await?;
    let row = find_by_name(tx, DEFAULT_NAME).await?.ok_or(StoreError::NotFound)?;
    projects::ensure_default(tx, row.id, now).await?;
    Ok(row)
}

/// Adds a tenant with its project `default`.
///
/// # Errors
/// [`StoreError::NameTaken`].
pub async fn insert(tx: &SystemTx, name: &str, now: Timestamp) -> Result<TenantRow, StoreError> {
    let row = TenantRow { id: TenantId::new(), name: name.to_owned(), created_at: now };
    if !insert_if_free(tx, &row).await? {
        return Err(StoreError::NameTaken);
    }
    projects::ensure_default(tx, row.id, now).await?;
    Ok(row)
}

/// Returns one tenant; a tenant's own transaction finds only itself.
///
/// # Errors
/// See [`StoreError`].
pub async fn find(tx: &impl Tx, id: TenantId) -> Result<Option<TenantRow>, StoreError> {
    let sql = Sql::with("SELECT * FROM tenants WHERE id = $1", [id.uuid().into()]);
    Ok(sql.models::<table::Entity>(tx).await?.pop().map(row))
}

/// Returns one tenant by its name.
///
/// # Errors
/// See [`StoreError`].
pub async fn find_by_name(tx: &SystemTx, name: &str) -> Result<Option<TenantRow>, StoreError> {
    let sql = Sql::with("SELECT * FROM tenants WHERE name = $1", [name.into()]);
    Ok(sql.models::<table::Entity>(tx).await?.pop().map(row))
}

/// Returns tenants, newest first.
///
/// # Errors
/// See [`StoreError`].
pub async fn list(tx: &SystemTx, page: Page<TenantId>) -> Result<Paged<TenantRow>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM tenants");
    if let Some(after) = page.after {
        sql.push(" WHERE id < ").bind(after.uuid());
    }
    sql.push(" ORDER BY id DESC LIMIT ").bind(limit(page.probe()));
    Ok(Paged::of(&page, sql.models::<table::Entity>(tx).await?.into_iter().map(row).collect()))
}

/// Changes a tenant's name.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::NameTaken`].
pub async fn rename(tx: &SystemTx, id: TenantId, name: &str) -> Result<(), StoreError> {
    let sql = Sql::with("UPDATE tenants SET name = $1 WHERE id = $2", [name.into(), id.uuid().into()]);
    match sql.run(tx).await {
        Ok(0) => Err(StoreError::NotFound),
        Ok(_) => Ok(()),
        Err(StoreError::Conflict) => Err(StoreError::NameTaken),
        Err(error) => Err(error),
    }
}

/// Deletes a tenant with all its rows except its audit log. A tenant with integrations is kept, and `default` always
/// is.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Conflict`].
pub async fn delete(tx: &SystemTx, id: TenantId) -> Result<(), StoreError> {
    let tenant = find(tx, id).await?.ok_or(StoreError::NotFound)?;
    let count = "SELECT count(*) AS n FROM integrations WHERE tenant_id = $1";
    if tenant.name == DEFAULT_NAME || Sql::with(count, [id.uuid().into()]).number(tx).await? > 0 {
        return Err(StoreError::Conflict);
    }
    Sql::with("DELETE FROM tenants WHERE id = $1", [id.uuid().into()]).run(tx).await?;
    Ok(())
}

async fn insert_if_free(tx: &SystemTx, row: &TenantRow) -> Result<bool, StoreError> {
    let text = "INSERT INTO tenants (id, name, created_at_ms) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    let values = [row.id.uuid().into(), row.name.as_str().into(), row.created_at.ms().into()];
    Ok(Sql::with(text, values).run(tx).await? == 1)
}

fn row(model: table::Model) -> TenantRow {
    TenantRow {
        id: TenantId::from_uuid(model.id),
        name: model.name,
        created_at: Timestamp::from_ms(model.created_at_ms),
    }
}
