//! Deletes a tenant with everything it has, except its audit log.

use keyway_domain::{Invalidation, TenantId, Timestamp};
use keyway_store::tenants;
use serde_json::json;

use crate::{answer::Answer, auth::Caller, call::Call, error::ApiError, work::Journal};

/// Deletes a tenant without integrations, and audits that in its own log, which stays, and in the operator's. A cached
/// virtual key of the tenant finds nothing to call.
pub(crate) async fn run(call: &Call, id: TenantId) -> Result<Answer, ApiError> {
    let now = Timestamp::now();
    let tx = call.app.store.system().await?;
    let tenant = tenants::find(&tx, id).await?.ok_or_else(|| ApiError::not_found("tenant"))?;
    if tenant.name == tenants::DEFAULT_NAME {
        return Err(ApiError::conflict(
            "the tenant `default` always stays: the admin key acts in it where no other is named; what is in it can be deleted",
        ));
    }
    tenants::delete(&tx, id).await.map_err(|error| {
        ApiError::or_conflict(error, "a tenant that has integrations is kept; delete its integrations first")
    })?;
    for tenant_id in [call.app.default_tenant, id] {
        let by = Caller { tenant_id, ..call.by.clone() };
        let mut journal = Journal::new(&by, now);
        journal.audit("tenant.deleted", id, json!({ "name": tenant.name }));
        if tenant_id == id {
            journal.invalidate(id, Invalidation::Published);
        }
        journal.write(&tx).await?;
    }
    tx.commit().await?;
    call.app.forget(id, Invalidation::Published);
    Ok(Answer::no_content())
}
