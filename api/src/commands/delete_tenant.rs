//! Deletes a tenant with everything it has, except its audit log.

use keyway_domain::{TenantId, Timestamp};
use keyway_store::tenants;
use serde_json::json;

use crate::{answer::Answer, call::Call, error::ApiError, work::Journal};

/// Deletes a tenant that has no integrations. A cached virtual key of it finds nothing to call.
pub(crate) async fn run(call: &Call, id: TenantId) -> Result<Answer, ApiError> {
    let now = Timestamp::now();
    let tx = call.app.store.system().await?;
    let tenant = tenants::find(&tx, id).await?.ok_or_else(|| ApiError::not_found("tenant"))?;
    tenants::delete(&tx, id).await.map_err(|error| {
        ApiError::or_conflict(
            error,
            "a tenant that has integrations is kept, and `default` always is; delete its integrations first",
        )
    })?;
    let mut journal = Journal::new(&call.by, now);
    journal.audit("tenant.deleted", id, json!({ "name": tenant.name }));
    journal.write(&tx).await?;
    tx.commit().await?;
    Ok(Answer::no_content())
}
