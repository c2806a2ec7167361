//! Verifies an integration now.

use keyway_domain::{Command as Job, IntegrationId, IntegrationStatus};
use keyway_store::integrations;
use serde_json::json;

use crate::{
    answer::Answer,
    error::ApiError,
    view::Started,
    work::{Command, Work},
};

/// Integration to verify.
pub(crate) struct TestIntegration {
    pub(crate) id: IntegrationId,
}

impl Command for TestIntegration {
    const STARTS_WORK: bool = true;

    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let row = integrations::find(&work.tx, self.id).await?.ok_or_else(|| ApiError::not_found("integration"))?;
        work.by.check_project(row.project_id, "integration")?;
        if row.status == IntegrationStatus::Disabled {
            return Err(ApiError::conflict("the integration is disabled; switch it on, which verifies it"));
        }
        let job = Job::VerifyKey { integration_id: row.id, secret_version: row.secret_version, confirming: false };
        let operation = work.start(job, None).await?;
        integrations::begin_test(&work.tx, row.id).await?;
        work.audit("integration.tested", row.id, json!({ "operation_id": operation.id }));
        let location = format!("/api/v1/operations/{}", operation.id);
        Ok(Answer::accepted(&Started { operation: operation.into() }, &location))
    }
}
