//! Revokes a virtual key for good.

use keyway_domain::{Invalidation, VirtualKeyId};
use keyway_store::virtual_keys;
use serde_json::json;

use crate::{
    answer::Answer,
    error::ApiError,
    etag,
    view::RevokedKeyView,
    work::{Command, Work},
};

/// Virtual key to revoke, with `true` to show it in the answer.
pub(crate) struct RevokeVirtualKey {
    pub(crate) id: VirtualKeyId,
    pub(crate) expected: Option<i32>,
    pub(crate) show: bool,
}

impl Command for RevokeVirtualKey {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let before = virtual_keys::find(&work.tx, self.id).await?.ok_or_else(|| ApiError::not_found("virtual key"))?;
        work.by.check_project(before.project_id, "virtual key")?;
        etag::check(self.expected, before.version)?;
        let row = virtual_keys::revoke(&work.tx, self.id, self.expected, work.now).await?;
        if before.revoked_at.is_none() {
            work.audit("virtual_key.revoked", row.id, json!({ "name": row.name }));
        }
        // Told even when it was revoked before: a cache may have missed it then.
        let operation = work.revoke(Invalidation::VirtualKey { id: row.id }).await?;
        let (version, location) = (row.version, format!("/api/v1/operations/{}", operation.id));
        let answer = match self.show {
            true => Answer::ok(&RevokedKeyView { key: row.into(), operation: operation.into() }).tagged(version),
            false => Answer::no_content(),
        };
        Ok(answer.located(&location))
    }
}
