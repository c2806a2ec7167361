//! Whether the secrets of a tenant may be revealed at all. Without an owner's word they may not.

use keyway_domain::{Timestamp, UserId};

use crate::{
    StoreError, TenantTx,
    entity::reveal_allowances as table,
    sql::{Sql, for_update},
};

/// An owner's word that secrets may be revealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevealAllowance {
    /// Who gave it; `None`: the operator.
    pub allowed_by: Option<UserId>,
    /// When.
    pub allowed_at: Timestamp,
}

/// The word that holds in the tenant; `None`: nothing is revealed.
///
/// # Errors
/// See [`StoreError`].
pub async fn find(tx: &TenantTx) -> Result<Option<RevealAllowance>, StoreError> {
    read(tx, "").await
}

/// The word that holds in the tenant, and goes on to hold until this transaction ends: of one tenant, one secret is
/// revealed at a time.
///
/// # Errors
/// See [`StoreError`].
pub async fn hold(tx: &TenantTx) -> Result<Option<RevealAllowance>, StoreError> {
    read(tx, for_update(tx)).await
}

/// Allows it. Who allowed it first stays noted.
///
/// # Errors
/// [`StoreError::Conflict`] when there is no such person.
pub async fn allow(tx: &TenantTx, allowed_by: Option<UserId>, now: Timestamp) -> Result<(), StoreError> {
    let text = "INSERT INTO reveal_allowances (tenant_id, allowed_by, allowed_at_ms) VALUES ($1, $2, $3) \
                ON CONFLICT DO NOTHING";
    let values = [tx.tenant_id().uuid().into(), allowed_by.map(UserId::uuid).into(), now.ms().into()];
    Sql::with(text, values).run(tx).await.map(drop)
}

/// Forbids it again.
///
/// # Errors
/// See [`StoreError`].
pub async fn forbid(tx: &TenantTx) -> Result<(), StoreError> {
    let sql = Sql::with("DELETE FROM reveal_allowances WHERE tenant_id = $1", [tx.tenant_id().uuid().into()]);
    sql.run(tx).await.map(drop)
}

async fn read(tx: &TenantTx, lock: &str) -> Result<Option<RevealAllowance>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM reveal_allowances WHERE tenant_id = ");
    sql.bind(tx.tenant_id().uuid()).push(lock);
    Ok(sql.models::<table::Entity>(tx).await?.pop().map(|row| RevealAllowance {
        allowed_by: row.allowed_by.map(UserId::from_uuid),
        allowed_at: Timestamp::from_ms(row.allowed_at_ms),
    }))
}
