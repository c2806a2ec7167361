//! Rounds of the usage schedule that still run, whose tenants and integrations the next round skips.

use std::collections::HashSet;

use keyway_domain::{IntegrationId, OperationId, TenantId};

use crate::{
    StoreError, SystemTx, TenantTx,
    sql::{Sql, chunk},
};

/// Rounds that have not ended; word for word the condition of the index.
const RUNNING: &str = "kind = 'plan_usage' AND origin = 'schedule' AND state IN ('queued', 'running')";

/// Returns the tenants among `tenants` with a round whose children are not written yet.
///
/// # Errors
/// See [`StoreError`].
pub async fn unplanned(tx: &SystemTx, tenants: &[TenantId]) -> Result<HashSet<TenantId>, StoreError> {
    let mut found = HashSet::new();
    for tenants in tenants.chunks(chunk(1)) {
        let mut sql = Sql::new("SELECT DISTINCT tenant_id AS id FROM operations WHERE ");
        sql.push(RUNNING).push(" AND planned_at_ms IS NULL AND tenant_id IN (");
        sql.list(tenants.iter().map(|tenant| tenant.uuid())).push(")");
        found.extend(sql.ids(tx).await?.into_iter().map(TenantId::from_uuid));
    }
    Ok(found)
}

/// Returns the integrations among `integrations` that a round of the tenant other than `round` still fetches.
///
/// # Errors
/// See [`StoreError`].
pub async fn fetching(
    tx: &TenantTx,
    round: OperationId,
    integrations: &[IntegrationId],
) -> Result<HashSet<IntegrationId>, StoreError> {
    let mut found = HashSet::new();
    let mut sql = Sql::new("SELECT id FROM operations WHERE ");
    sql.push(RUNNING).push(" AND tenant_id = ").bind(tx.tenant_id().uuid()).push(" AND id <> ").bind(round.uuid());
    let others = sql.ids(tx).await?;
    if others.is_empty() {
        return Ok(found);
    }
    for integrations in integrations.chunks(chunk(2)) {
        let mut sql = Sql::new("SELECT integration_id AS id FROM operations WHERE parent_id IN (");
        sql.list(others.iter().copied()).push(") AND state IN ('queued', 'running') AND integration_id IN (");
        sql.list(integrations.iter().map(|id| id.uuid())).push(")");
        found.extend(sql.ids(tx).await?.into_iter().map(IntegrationId::from_uuid));
    }
    Ok(found)
}
