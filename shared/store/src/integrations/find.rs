//! Finds single integrations: by their ids, and by their secret. Changes none.

use keyway_domain::{DataKeyId, IntegrationId, ProjectId};

use super::row::{IntegrationRow, SealedSecret, row};
use crate::{StoreError, TenantTx, Tx, entity::integrations as table, sql::Sql};

/// Returns one integration.
///
/// # Errors
/// See [`StoreError`].
pub async fn find(tx: &TenantTx, id: IntegrationId) -> Result<Option<IntegrationRow>, StoreError> {
    let text = "SELECT * FROM integrations WHERE tenant_id = $1 AND id = $2";
    let sql = Sql::with(text, [tx.tenant_id().uuid().into(), id.uuid().into()]);
    sql.models::<table::Entity>(tx).await?.pop().map(row).transpose()
}

/// Returns the integration of a project that has an equal secret, found by its fingerprint under a data key.
///
/// # Errors
/// See [`StoreError`].
pub async fn with_fingerprint(
    tx: &TenantTx,
    project_id: ProjectId,
    key_id: DataKeyId,
    fingerprint: &[u8; 32],
) -> Result<Option<IntegrationId>, StoreError> {
    find_by_fingerprint(tx, project_id.uuid(), key_id.uuid(), fingerprint).await
}

pub(crate) async fn find_by_fingerprint(
    tx: &TenantTx,
    project_id: uuid::Uuid,
    key_id: uuid::Uuid,
    fingerprint: &[u8],
) -> Result<Option<IntegrationId>, StoreError> {
    let text = "SELECT id FROM integrations WHERE tenant_id = $1 AND fingerprint_key_id = $2 AND fingerprint = $3 \
                AND project_id = $4";
    let values = [tx.tenant_id().uuid().into(), key_id.into(), fingerprint.to_vec().into(), project_id.into()];
    Ok(Sql::with(text, values).ids(tx).await?.pop().map(IntegrationId::from_uuid))
}

pub(crate) async fn of_ids(
    tx: &impl Tx,
    ids: impl IntoIterator<Item = IntegrationId>,
    lock: &str,
) -> Result<Vec<table::Model>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM integrations WHERE id IN (");
    sql.list(ids.into_iter().map(IntegrationId::uuid)).push(") ORDER BY id").push(lock);
    sql.models::<table::Entity>(tx).await
}

/// Checks that no other integration of the tenant has this secret.
///
/// # Errors
/// [`StoreError::Duplicate`].
pub(crate) async fn refuse_duplicate(
    tx: &TenantTx,
    integration: &IntegrationRow,
    secret: &SealedSecret,
) -> Result<(), StoreError> {
    let project_id = integration.project_id.uuid();
    match find_by_fingerprint(tx, project_id, secret.data_key_id.uuid(), &secret.fingerprint).await? {
        Some(existing) if existing != integration.id => Err(StoreError::Duplicate { existing }),
        _ => Ok(()),
    }
}
