//! Events that are in the log and in no chain: from before there was one, or by a writer of the version before, which runs
//! beside this one during an upgrade. For a week from its beginning a chain takes them in, in slices, while new ones come.

use std::collections::BTreeSet;

use keyway_domain::{TenantId, Timestamp};

use super::Chains;
use crate::{
    StoreError, SystemTx,
    audit::{self, AuditKey},
    sql::Sql,
};

/// Returns the tenants whose chains still take in what was appended past them.
///
/// # Errors
/// See [`StoreError`].
pub async fn adopting(tx: &SystemTx) -> Result<Vec<TenantId>, StoreError> {
    let sql = Sql::new("SELECT tenant_id AS id FROM audit_chains WHERE adopts_until_ms > 0 ORDER BY tenant_id");
    Ok(sql.ids(tx).await?.into_iter().map(TenantId::from_uuid).collect())
}

/// Takes the next `rows` events behind `after` into the tenant's chain. Returns where the next slice begins; `None`: that
/// was the last. Then a chain whose week is over by `now` takes in no more.
///
/// # Errors
/// See [`StoreError`].
pub async fn adopt(
    tx: &SystemTx,
    tenant_id: TenantId,
    after: Option<AuditKey>,
    rows: u64,
    now: Timestamp,
) -> Result<Option<AuditKey>, StoreError> {
    let chains = Chains::lock(tx, &BTreeSet::from([tenant_id])).await?;
    let records = audit::outside(tx, tenant_id, after, rows).await?;
    if let Some(last) = records.last() {
        chains.extend(tx, &records.iter().collect::<Vec<_>>()).await?;
        return Ok(Some(AuditKey { occurred_at: last.event.occurred_at, event_id: last.event_id }));
    }
    let text = "UPDATE audit_chains SET adopts_until_ms = 0 WHERE tenant_id = $1 AND adopts_until_ms <= $2";
    Sql::with(text, [tenant_id.uuid().into(), now.ms().into()]).run(tx).await?;
    Ok(None)
}
