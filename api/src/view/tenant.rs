//! Tenants.

use keyway_domain::{TenantId, Timestamp};
use keyway_store::tenants::TenantRow;
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::words;

/// A tenant.
#[derive(Serialize, ToSchema)]
pub(crate) struct TenantView {
    #[schema(value_type = words::TenantId)]
    id: TenantId,
    name: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<TenantRow> for TenantView {
    fn from(row: TenantRow) -> Self {
        Self { id: row.id, name: row.name, created_at: row.created_at }
    }
}
