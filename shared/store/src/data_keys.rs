//! The wrapped data keys of tenants. Only the vault sees the unwrapped keys.

use keyway_domain::{DataKeyId, TenantId, Timestamp};

use crate::{
    StoreError, SystemTx, TenantTx, Tx,
    entity::data_keys as table,
    sql::{Sql, int, limit, uint},
};

/// A wrapped data key as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataKeyRow {
    /// Its id.
    pub id: DataKeyId,
    /// Tenant that owns the key.
    pub tenant_id: TenantId,
    /// The version of the root key that wraps it.
    pub root_version: u32,
    /// The wrapped encryption key.
    pub wrapped_enc: Vec<u8>,
    /// The wrapped fingerprint key.
    pub wrapped_fp: Vec<u8>,
}

/// Returns the key that seals new secrets of the tenant.
///
/// # Errors
/// See [`StoreError`].
pub async fn active(tx: &TenantTx) -> Result<Option<DataKeyRow>, StoreError> {
    let text = "SELECT * FROM data_keys WHERE tenant_id = $1 AND state = 'active'";
    Ok(Sql::with(text, [tx.tenant_id().uuid().into()]).models::<table::Entity>(tx).await?.pop().map(row))
}

/// Returns one data key of the tenant, active or not.
///
/// # Errors
/// See [`StoreError`].
pub async fn find(tx: &TenantTx, id: DataKeyId) -> Result<Option<DataKeyRow>, StoreError> {
    let text = "SELECT * FROM data_keys WHERE tenant_id = $1 AND id = $2";
    let sql = Sql::with(text, [tx.tenant_id().uuid().into(), id.uuid().into()]);
    Ok(sql.models::<table::Entity>(tx).await?.pop().map(row))
}

/// Makes `key` the tenant's active data key unless there is one; returns the active one.
///
/// # Errors
/// See [`StoreError`].
pub async fn insert_if_absent(tx: &TenantTx, key: &DataKeyRow, now: Timestamp) -> Result<DataKeyRow, StoreError> {
    let text = "INSERT INTO data_keys (id, tenant_id, root_version, wrapped_enc, wrapped_fp, state, created_at_ms) \
                VALUES ($1, $2, $3, $4, $5, 'active', $6) ON CONFLICT DO NOTHING";
    let values = [
        key.id.uuid().into(),
        tx.tenant_id().uuid().into(),
        int(key.root_version).into(),
        key.wrapped_enc.clone().into(),
        key.wrapped_fp.clone().into(),
        now.ms().into(),
    ];
    Sql::with(text, values).run(tx).await?;
    active(tx).await?.ok_or(StoreError::NotFound)
}

/// Returns data keys of every tenant in the order of their ids, starting after `after`: for checks of the keyring.
///
/// # Errors
/// See [`StoreError`].
pub async fn page_of_all(tx: &SystemTx, after: Option<DataKeyId>, rows: u64) -> Result<Vec<DataKeyRow>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM data_keys");
    if let Some(after) = after {
        sql.push(" WHERE id > ").bind(after.uuid());
    }
    sql.push(" ORDER BY id LIMIT ").bind(limit(rows));
    Ok(sql.models::<table::Entity>(tx).await?.into_iter().map(row).collect())
}

pub(crate) async fn of_ids(
    tx: &impl Tx,
    ids: impl IntoIterator<Item = DataKeyId>,
) -> Result<Vec<DataKeyRow>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM data_keys WHERE id IN (");
    sql.list(ids.into_iter().map(DataKeyId::uuid)).push(")");
    Ok(sql.models::<table::Entity>(tx).await?.into_iter().map(row).collect())
}

fn row(model: table::Model) -> DataKeyRow {
    DataKeyRow {
        id: DataKeyId::from_uuid(model.id),
        tenant_id: TenantId::from_uuid(model.tenant_id),
        root_version: uint(model.root_version),
        wrapped_enc: model.wrapped_enc,
        wrapped_fp: model.wrapped_fp,
    }
}
