//! Virtual keys, never the key itself.

use keyway_domain::{ProjectId, Timestamp, VirtualKeyId};
use keyway_store::virtual_keys::VirtualKeyRow;
use serde::Serialize;
use utoipa::ToSchema;

use super::OperationView;
use crate::{limits::LimitsView, openapi::words};

/// A virtual key, without the key.
#[derive(Serialize, ToSchema)]
pub(crate) struct VirtualKeyView {
    #[schema(value_type = words::VirtualKeyId)]
    id: VirtualKeyId,
    #[schema(value_type = words::ProjectId)]
    project_id: ProjectId,
    name: String,
    /// Redacted form of the key, enough to recognise it.
    #[schema(example = "kw_live_...x7Qa")]
    hint: String,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
    /// Give or take a minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    limits: LimitsView,
    /// Seconds for which answers to its calls are cached; null: not cached.
    cache_ttl_seconds: Option<i64>,
    /// Number of its changes; also its ETag.
    version: i32,
}

/// A virtual key that was revoked, and the operation that ends when every replica has dropped it.
#[derive(Serialize, ToSchema)]
pub(crate) struct RevokedKeyView {
    #[serde(flatten)]
    pub(crate) key: VirtualKeyView,
    pub(crate) operation: OperationView,
}

impl From<VirtualKeyRow> for VirtualKeyView {
    fn from(row: VirtualKeyRow) -> Self {
        Self {
            id: row.id,
            project_id: row.project_id,
            name: row.name,
            hint: row.hint,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
            created_at: row.created_at,
            limits: row.limits.into(),
            cache_ttl_seconds: row.cache_ttl_seconds,
            version: row.version,
        }
    }
}
