//! Types of nodes of a tenant's flows, each with the schema of its nodes' data.

use keyway_domain::Timestamp;

use crate::{
    StoreError, TenantTx,
    entity::node_types as table,
    sql::{Sql, for_share, for_update, limit},
};

/// Largest number of types of nodes of a tenant: all are read at once.
pub const MAX: u64 = 200;

/// A type of nodes as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeTypeRow {
    /// Name, unique in the tenant: the `type` of its nodes.
    pub name: String,
    /// Schema of the data of its nodes, as JSON.
    pub config_schema: String,
    /// `true` if no circle may lead through its nodes.
    pub is_acyclic: bool,
    /// Number of changes, for ETag and If-Match.
    pub version: i32,
    /// Time of the last change.
    pub updated_at: Timestamp,
}

/// Adds a type of nodes, or changes it; with `expected`, only if it is there and its version still equals it.
///
/// # Errors
/// [`StoreError::Stale`], [`StoreError::Full`].
pub async fn put(
    tx: &TenantTx,
    name: &str,
    (config_schema, is_acyclic): (&str, bool),
    expected: Option<i32>,
    now: Timestamp,
) -> Result<NodeTypeRow, StoreError> {
    let before = one(tx, name, for_update(tx)).await?;
    if expected.is_some() && expected != before.as_ref().map(|row| row.version) {
        return Err(StoreError::Stale);
    }
    let count = Sql::with("SELECT count(*) AS n FROM node_types WHERE tenant_id = $1", [tx.tenant_id().uuid().into()]);
    if before.is_none() && count.number(tx).await? >= limit(MAX) {
        return Err(StoreError::Full { most: MAX });
    }
    let text = "INSERT INTO node_types (tenant_id, name, config_schema, is_acyclic, version, updated_at_ms) \
                VALUES ($1, $2, $3, $4, 1, $5) ON CONFLICT (tenant_id, name) DO UPDATE SET \
                config_schema = excluded.config_schema, is_acyclic = excluded.is_acyclic, \
                version = node_types.version + 1, updated_at_ms = excluded.updated_at_ms";
    let values = [tx.tenant_id().uuid().into(), name.into(), config_schema.into(), is_acyclic.into(), now.ms().into()];
    Sql::with(text, values).run(tx).await?;
    one(tx, name, "").await?.ok_or(StoreError::NotFound)
}

/// Returns all types of nodes, by name.
///
/// # Errors
/// See [`StoreError`].
pub async fn list(tx: &TenantTx) -> Result<Vec<NodeTypeRow>, StoreError> {
    let text = "SELECT * FROM node_types WHERE tenant_id = $1 ORDER BY name";
    let rows = Sql::with(text, [tx.tenant_id().uuid().into()]).models::<table::Entity>(tx).await?;
    Ok(rows.into_iter().map(row).collect())
}

/// Returns all types of nodes, and keeps them unchanged until the transaction ends.
///
/// # Errors
/// See [`StoreError`].
pub async fn hold(tx: &TenantTx) -> Result<Vec<NodeTypeRow>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM node_types WHERE tenant_id = ");
    sql.bind(tx.tenant_id().uuid()).push(for_share(tx));
    Ok(sql.models::<table::Entity>(tx).await?.into_iter().map(row).collect())
}

/// Deletes a type of nodes; with `expected`, only if its version still equals it. Flows that have such nodes stay.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Stale`].
pub async fn delete(tx: &TenantTx, name: &str, expected: Option<i32>) -> Result<(), StoreError> {
    let before = one(tx, name, for_update(tx)).await?.ok_or(StoreError::NotFound)?;
    if expected.is_some_and(|expected| expected != before.version) {
        return Err(StoreError::Stale);
    }
    let text = "DELETE FROM node_types WHERE tenant_id = $1 AND name = $2";
    Sql::with(text, [tx.tenant_id().uuid().into(), name.into()]).run(tx).await.map(drop)
}

async fn one(tx: &TenantTx, name: &str, lock: &str) -> Result<Option<NodeTypeRow>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM node_types WHERE tenant_id = ");
    sql.bind(tx.tenant_id().uuid()).push(" AND name = ").bind(name).push(lock);
    Ok(sql.models::<table::Entity>(tx).await?.pop().map(row))
}

fn row(model: table::Model) -> NodeTypeRow {
    NodeTypeRow {
        name: model.name,
        config_schema: model.config_schema,
        is_acyclic: model.is_acyclic,
        version: model.version,
        updated_at: Timestamp::from_ms(model.updated_at_ms),
    }
}
