//! Limits on all calls of a tenant to one provider, the catalog's or its own, across integrations.

use keyway_domain::Limits;
use uuid::Uuid;

use crate::{
    StoreError, TenantTx,
    entity::provider_limits as table,
    limits::{columns, stored_limits},
    sql::{Sql, limit},
};

/// Largest number of rows per tenant: exceeds its custom providers plus those of any catalog.
const MAX: u64 = 4000;

/// A provider's limits in a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderLimits {
    /// Scope id of the leases.
    pub id: Uuid,
    /// The provider's name.
    pub provider: String,
    /// Limits of all integrations of the provider together, across projects.
    pub limits: Limits,
    /// Number of changes.
    pub version: i32,
}

/// Returns the limits of all providers of a tenant, by the provider's name.
///
/// # Errors
/// See [`StoreError`].
pub async fn of_tenant(tx: &TenantTx) -> Result<Vec<ProviderLimits>, StoreError> {
    let text = "SELECT * FROM provider_limits WHERE tenant_id = $1 ORDER BY provider LIMIT $2";
    read(tx, Sql::with(text, [tx.tenant_id().uuid().into(), limit(MAX).into()])).await
}

/// Returns the limits of one provider, if any were ever set.
///
/// # Errors
/// See [`StoreError`].
pub async fn find(tx: &TenantTx, provider: &str) -> Result<Option<ProviderLimits>, StoreError> {
    let text = "SELECT * FROM provider_limits WHERE tenant_id = $1 AND provider = $2";
    Ok(read(tx, Sql::with(text, [tx.tenant_id().uuid().into(), provider.into()])).await?.pop())
}

/// Sets a provider's limits, if their version still equals `expected`; 0: there are none yet.
///
/// # Errors
/// [`StoreError::Stale`].
pub async fn set(tx: &TenantTx, provider: &str, limits: Limits, expected: i32) -> Result<ProviderLimits, StoreError> {
    let assignments = columns(&limits).map(|(column, _)| format!("{column} = excluded.{column}")).join(", ");
    let text = format!(
        "INSERT INTO provider_limits (id, tenant_id, provider, requests_per_minute, tokens_per_minute, \
         daily_budget_nano_usd, monthly_budget_nano_usd, version) VALUES ($1, $2, $3, $4, $5, $6, $7, 1) \
         ON CONFLICT (tenant_id, provider) DO UPDATE SET version = provider_limits.version + 1, {assignments} \
         WHERE provider_limits.version = $8 RETURNING *"
    );
    let key = [Uuid::now_v7().into(), tx.tenant_id().uuid().into(), provider.into()];
    let values = key.into_iter().chain(columns(&limits).map(|(_, limit)| limit)).chain([expected.into()]);
    read(tx, Sql::with(&text, values)).await?.pop().ok_or(StoreError::Stale)
}

pub(crate) async fn delete_of_provider(tx: &TenantTx, provider: &str) -> Result<(), StoreError> {
    let text = "DELETE FROM provider_limits WHERE tenant_id = $1 AND provider = $2";
    Sql::with(text, [tx.tenant_id().uuid().into(), provider.into()]).run(tx).await?;
    Ok(())
}

async fn read(tx: &TenantTx, sql: Sql) -> Result<Vec<ProviderLimits>, StoreError> {
    let row = |model: table::Model| ProviderLimits {
        id: model.id,
        provider: model.provider,
        limits: stored_limits!(model),
        version: model.version,
    };
    Ok(sql.models::<table::Entity>(tx).await?.into_iter().map(row).collect())
}
