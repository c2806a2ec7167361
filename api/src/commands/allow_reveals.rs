//! Allows that secrets are revealed in a tenant, or forbids it again.

use keyway_store::reveal_allowances;
use serde_json::json;

use crate::{
    answer::Answer,
    error::ApiError,
    principal::Principal,
    view::RevealsView,
    work::{Command, Work},
};

/// Whether secrets may be revealed from now on.
pub(crate) struct AllowReveals {
    pub(crate) allowed: bool,
}

impl Command for AllowReveals {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let before = reveal_allowances::hold(&work.tx).await?;
        if before.is_some() != self.allowed {
            let action = if self.allowed {
                let by = match &*work.by.principal {
                    Principal::User(person) => Some(person.user.id),
                    _ => None,
                };
                reveal_allowances::allow(&work.tx, by, work.now).await?;
                "reveals.allowed"
            } else {
                reveal_allowances::forbid(&work.tx).await?;
                "reveals.forbidden"
            };
            work.audit(action, work.by.tenant_id, json!({}));
        }
        let now = reveal_allowances::find(&work.tx).await?;
        Ok(Answer::ok(&RevealsView::from(now)))
    }
}
