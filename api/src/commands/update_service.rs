//! Lets a service reveal secrets, or no longer: what else it may do stays as it was made.

use keyway_domain::{Invalidation, Permission, ServiceId};
use keyway_store::{StoreError, memberships, services};
use serde_json::json;

use crate::{
    answer::Answer,
    error::ApiError,
    etag,
    view::ServiceView,
    work::{Command, Work},
};

/// Service to change.
pub(crate) struct UpdateService {
    pub(crate) id: ServiceId,
    pub(crate) may_reveal: Option<bool>,
    pub(crate) expected: Option<i32>,
}

impl Command for UpdateService {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let mut row = services::find(&work.tx, self.id).await?.ok_or_else(|| ApiError::not_found("service"))?;
        etag::check(self.expected, row.version)?;
        if row.revoked_at.is_some() {
            return Err(ApiError::conflict("the service is revoked; make a new one"));
        }
        let may_reveal = row.permissions.allow(Permission::REVEAL);
        if let Some(wanted) = self.may_reveal.filter(|wanted| *wanted != may_reveal) {
            if let (true, Some(maker)) = (wanted, row.made_by) {
                // People are not in the tenant's transaction; what the maker loses later counts at each use.
                let people = work.app.store.system_read().await?;
                let rights = memberships::rights_of(&people, work.by.tenant_id, maker).await?;
                if !rights.of_tenant().allow(Permission::REVEAL) {
                    let message = "a service may do no more than its maker, who may not reveal secrets in the whole \
                                   tenant: allow that first, with PATCH /api/v1/members/{id}";
                    return Err(ApiError::conflict(message));
                }
            }
            let permissions = if wanted {
                row.permissions.with(Permission::REVEAL)
            } else {
                row.permissions.without(Permission::REVEAL)
            };
            row = services::set_permissions(&work.tx, row.id, &permissions, row.version).await.map_err(|error| {
                match error {
                    StoreError::NotFound => ApiError::not_found("service"),
                    error => error.into(),
                }
            })?;
            work.audit("service.reveal_changed", row.id, json!({ "name": row.name, "may_reveal": wanted }));
            work.invalidate(Invalidation::Service { id: row.id });
        }
        let version = row.version;
        Ok(Answer::ok(&ServiceView::from(row)).tagged(version))
    }
}
