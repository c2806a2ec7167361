//! Changes a virtual key's name, expiry, limits or cache.

use keyway_domain::{Invalidation, Timestamp, VirtualKeyId};
use keyway_store::virtual_keys::{self, Change};
use serde_json::json;

use crate::{
    answer::Answer,
    error::ApiError,
    etag,
    limits::LimitsInput,
    view::VirtualKeyView,
    work::{Command, Work},
};

/// New values.
pub(crate) struct UpdateVirtualKey {
    pub(crate) id: VirtualKeyId,
    pub(crate) name: Option<String>,
    pub(crate) expires_at: Option<Option<Timestamp>>,
    pub(crate) limits: LimitsInput,
    pub(crate) cache_ttl_seconds: Option<Option<i64>>,
    pub(crate) expected: Option<i32>,
}

impl Command for UpdateVirtualKey {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let before = virtual_keys::find(&work.tx, self.id).await?.ok_or_else(|| ApiError::not_found("virtual key"))?;
        work.by.check_project(before.project_id, "virtual key")?;
        etag::check(self.expected, before.version)?;
        if before.revoked_at.is_some() {
            return Err(ApiError::conflict("the virtual key is revoked; make a new one"));
        }
        let change = Change {
            name: self.name.unwrap_or(before.name),
            expires_at: self.expires_at.unwrap_or(before.expires_at),
            limits: self.limits.over(before.limits),
            cache_ttl_seconds: self.cache_ttl_seconds.unwrap_or(before.cache_ttl_seconds),
        };
        let row = virtual_keys::update(&work.tx, self.id, change, before.version).await?;
        let changes = json!({ "name": row.name, "expires_at": row.expires_at, "limits": row.limits,
            "cache_ttl_seconds": row.cache_ttl_seconds });
        work.audit("virtual_key.updated", row.id, changes);
        work.invalidate(Invalidation::VirtualKey { id: row.id });
        let version = row.version;
        Ok(Answer::ok(&VirtualKeyView::from(row)).tagged(version))
    }
}
