//! Deletes an integration with its sealed secret.

use keyway_domain::{IntegrationId, Invalidation};
use keyway_store::{StoreError, integrations};
use serde_json::json;

use crate::{
    answer::Answer,
    error::ApiError,
    work::{Command, Work},
};

/// Integration to delete.
pub(crate) struct DeleteIntegration {
    pub(crate) id: IntegrationId,
    pub(crate) expected: Option<i32>,
}

impl Command for DeleteIntegration {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let deleted = integrations::delete(&work.tx, self.id, self.expected).await;
        let row = deleted.map_err(|error| match error {
            StoreError::NotFound => ApiError::not_found("integration"),
            error => error.into(),
        })?;
        // The transaction ends with the error, and the integration stays.
        work.by.check_project(row.project_id, "integration")?;
        work.audit("integration.deleted", row.id, json!({ "provider": row.provider, "name": row.name }));
        let operation = work.revoke(Invalidation::Integrations).await?;
        Ok(Answer::no_content().located(&format!("/api/v1/operations/{}", operation.id)))
    }
}
