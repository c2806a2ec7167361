//! Changes a project's name, limits or consent to the operator's key.

use keyway_domain::{Invalidation, NanoUsd, ProjectId};
use keyway_store::projects;
use serde_json::json;

use super::create_project::NAME_TAKEN;
use crate::{
    answer::Answer,
    error::ApiError,
    etag,
    limits::LimitsInput,
    view::ProjectView,
    work::{Command, Work},
};

/// Project and its new values.
pub(crate) struct UpdateProject {
    pub(crate) id: ProjectId,
    pub(crate) name: Option<String>,
    pub(crate) limits: LimitsInput,
    /// Monthly budget in nano-USD for the operator's key; `Some(None)` withdraws the consent.
    pub(crate) fallback_budget_nano_usd: Option<Option<NanoUsd>>,
    pub(crate) expected: Option<i32>,
}

impl Command for UpdateProject {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let before = projects::find(&work.tx, self.id).await?.ok_or_else(|| ApiError::not_found("project"))?;
        work.by.check_project(before.id, "project")?;
        etag::check(self.expected, before.version)?;
        let name = self.name.unwrap_or(before.name);
        let limits = self.limits.over(before.limits);
        let fallback = self.fallback_budget_nano_usd.unwrap_or(before.fallback_budget_nano_usd);
        let updated = projects::update(&work.tx, self.id, &name, &limits, fallback, before.version).await;
        let project = updated.map_err(|error| ApiError::or_taken(error, NAME_TAKEN))?;
        let made = json!({ "name": project.name, "limits": project.limits, "fallback_budget_nano_usd": fallback });
        work.audit("project.updated", project.id, made);
        if limits != before.limits || fallback != before.fallback_budget_nano_usd {
            // The proxy keeps them with what a project can call.
            work.invalidate(Invalidation::Integrations);
        }
        let version = project.version;
        Ok(Answer::ok(&ProjectView::from(project)).tagged(version))
    }
}
