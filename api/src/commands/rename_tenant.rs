//! Renames a tenant.

use keyway_domain::{Invalidation, TenantId, Timestamp};
use keyway_store::tenants;
use serde_json::json;

use crate::{answer::Answer, call::Call, error::ApiError, view::TenantView, work::Journal};

/// Renames a tenant; `default` keeps its name, by which it is found.
pub(crate) async fn run(call: &Call, id: TenantId, name: &str) -> Result<Answer, ApiError> {
    let now = Timestamp::now();
    let tx = call.app.store.system().await?;
    let before = tenants::find(&tx, id).await?.ok_or_else(|| ApiError::not_found("tenant"))?;
    if before.name == tenants::DEFAULT_NAME && name != before.name {
        return Err(ApiError::conflict("the tenant `default` keeps its name"));
    }
    tenants::rename(&tx, id, name).await?;
    let mut journal = Journal::new(&call.by, now);
    journal.audit("tenant.renamed", id, json!({ "name": name }));
    // Its name is in the addresses of its publications.
    journal.invalidate(id, Invalidation::Published);
    journal.write(&tx).await?;
    tx.commit().await?;
    journal.committed(&call.app);
    Ok(Answer::ok(&TenantView::from(tenants::TenantRow { name: name.to_owned(), ..before })))
}
