//! Reveals the secret of an integration: the only command that opens one and answers with it. Its audit event commits
//! before the answer, and it is carried out anew each time: an answer that is kept for repetition would be a reveal that
//! nobody counts.

use keyway_domain::IntegrationId;
use keyway_store::{credentials, integrations, reveal_allowances, reveals};
use serde_json::json;

use crate::{
    answer::Answer,
    code::Code,
    error::ApiError,
    view::revealed,
    work::{Command, Work},
};

/// Integration whose secret is revealed, with the reason that its caller gives.
pub(crate) struct RevealSecret {
    pub(crate) id: IntegrationId,
    pub(crate) reason: String,
}

impl Command for RevealSecret {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let missing = || ApiError::not_found("integration");
        if reveal_allowances::hold(&work.tx).await?.is_none() {
            let message = "no secret is revealed in this tenant: an owner allows it with PUT /api/v1/reveals";
            return Err(ApiError::new(Code::NotAllowed, message));
        }
        let row = integrations::find(&work.tx, self.id).await?.ok_or_else(missing)?;
        work.by.check_project(row.project_id, "integration")?;
        let principal = work.by.principal.id().ok_or_else(missing)?;
        if let Some(wait) = reveals::count(&work.tx, &principal).await? {
            let most = reveals::MOST;
            let message = format!("{most} secrets a minute are revealed to you and no more: wait for `Retry-After`");
            return Err(ApiError::new(Code::RateLimited, message).retry_after_wait(wait));
        }
        let found = credentials::of_integration(&work.tx, self.id).await?;
        let found = found.ok_or_else(|| ApiError::conflict("the secret has just been replaced: ask again"))?;
        let (row, envelope) = (found.integration, found.envelope);
        let keys = work.app.keys.unwrapped(found.data_key)?;
        let secret = keys.open(row.secret_id, row.secret_version, &envelope)?.into_text()?;
        if self.reason.contains(secret.plain().as_str()) {
            return Err(ApiError::field("`reason` holds the credential, and is kept in the audit log: take it out"));
        }
        let changes = json!({ "reason": self.reason, "name": row.name, "provider": row.provider,
            "project_id": row.project_id, "secret_version": row.secret_version });
        work.audit("integration.revealed", row.id, changes);
        Ok(Answer::of_secret(revealed(&secret)?))
    }
}
