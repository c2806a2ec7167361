//! Calls that a build without rollups has appended, during an upgrade or after it was rolled back: they are in the daily
//! sums, and the rollups get them here.

use std::collections::BTreeMap;

use keyway_domain::TenantId;
use uuid::Uuid;

use super::{rollups::Changes, stored::CallRow};
use crate::{
    StoreError, SystemTx,
    sql::{Sql, limit, skip_locked},
};

/// Rolls up calls that no rollup has, at most so many. Returns their number.
///
/// # Errors
/// See [`StoreError`].
pub async fn roll_up_left(tx: &SystemTx, rows: u64) -> Result<u64, StoreError> {
    let mut sql = Sql::new("SELECT * FROM metered_calls WHERE NOT rolled_up ORDER BY request_id LIMIT ");
    sql.bind(limit(rows)).push(skip_locked(tx));
    let left: Vec<CallRow> = sql.rows(tx).await?;
    let count = left.len() as u64;
    let mut tenants: BTreeMap<Uuid, Changes> = BTreeMap::new();
    let mut ids = Vec::new();
    for row in left {
        let tenant_id = row.tenant_id;
        let row = row.metered();
        ids.push(row.call.request_id.uuid());
        tenants.entry(tenant_id).or_default().add_left(&row);
    }
    if ids.is_empty() {
        return Ok(0);
    }
    let mut sql = Sql::new("UPDATE metered_calls SET rolled_up = true WHERE request_id IN (");
    sql.list(ids).push(")");
    sql.run(tx).await?;
    for (tenant_id, changes) in tenants {
        changes.write(tx, TenantId::from_uuid(tenant_id)).await?;
    }
    Ok(count)
}
