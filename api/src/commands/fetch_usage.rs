//! Starts fetching usage: of one integration, or a fan-out over every active one.

use keyway_domain::{Command as Job, IntegrationId, IntegrationStatus, Timestamp, UsageWindow};
use keyway_store::integrations;
use serde_json::json;

use crate::{
    answer::Answer,
    error::ApiError,
    provider_names,
    view::Started,
    work::{Command, Work},
};

/// Scope of the fetch.
pub(crate) struct FetchUsage {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) integration_id: Option<IntegrationId>,
    /// Provider whose active integrations are fetched; `None`: all.
    pub(crate) provider: Option<String>,
}

impl Command for FetchUsage {
    const STARTS_WORK: bool = true;

    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let window = UsageWindow { from: self.from, to: self.to };
        let operation = match self.integration_id {
            Some(integration_id) => {
                let found = integrations::find(&work.tx, integration_id).await?;
                let integration = found.ok_or_else(|| ApiError::not_found("integration"))?;
                work.by.check_project(integration.project_id, "integration")?;
                if integration.status == IntegrationStatus::Disabled {
                    return Err(ApiError::conflict("the integration is disabled"));
                }
                work.start(Job::FetchUsage { integration_id, window, resume: None }, None).await?
            }
            None => {
                work.by.check_whole_tenant()?;
                if let Some(provider) = &self.provider {
                    provider_names::spec(&work.app.catalog.now(), &work.tx, provider).await?;
                }
                let total = integrations::count_active(&work.tx, self.provider.as_deref()).await?;
                let job = Job::PlanUsage { window, spread_ms: 0, recheck: true, provider: self.provider.clone() };
                work.start(job, Some(total)).await?
            }
        };
        let changes = json!({ "from": self.from, "to": self.to, "integration_id": self.integration_id,
            "provider": self.provider });
        work.audit("usage.fetch_started", operation.id, changes);
        let location = format!("/api/v1/operations/{}", operation.id);
        Ok(Answer::accepted(&Started { operation: operation.into() }, &location))
    }
}
