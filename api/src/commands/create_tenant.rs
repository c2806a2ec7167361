//! Creates a tenant, which needs a system transaction, as it belongs to no tenant yet.

use keyway_domain::Timestamp;
use keyway_store::tenants;
use serde_json::json;

use crate::{answer::Answer, call::Call, error::ApiError, view::TenantView, work::Journal};

/// Creates a tenant of this name, with its project `default`.
pub(crate) async fn run(call: &Call, name: &str) -> Result<Answer, ApiError> {
    let now = Timestamp::now();
    let reservation = call.reserve()?;
    let tx = call.app.store.system().await?;
    if let Some(reservation) = &reservation
        && let Some(answer) = reservation.earlier_open(&tx).await?
    {
        return Ok(answer);
    }
    let tenant = tenants::insert(&tx, name, now).await?;
    let mut journal = Journal::new(&call.by, now);
    journal.audit("tenant.created", tenant.id, json!({ "name": tenant.name }));
    journal.write(&tx).await?;
    let location = format!("/api/v1/tenants/{}", tenant.id);
    let answer = Answer::created(&TenantView::from(tenant), &location);
    if let Some(reservation) = &reservation {
        reservation.keep_open(&tx, &answer, now).await?;
    }
    tx.commit().await?;
    Ok(answer)
}
