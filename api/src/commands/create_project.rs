//! Creates a project.

use keyway_domain::{Limits, NanoUsd};
use keyway_store::projects;
use serde_json::json;

use crate::{
    answer::Answer,
    error::ApiError,
    limits::LimitsInput,
    view::ProjectView,
    work::{Command, Work},
};

/// Message for a name that is in use.
pub(super) const NAME_TAKEN: &str = "a project of this tenant has this name; use that one, or choose another name";

/// Project to create.
pub(crate) struct CreateProject {
    pub(crate) name: String,
    pub(crate) limits: LimitsInput,
    pub(crate) fallback_budget_nano_usd: Option<NanoUsd>,
}

impl Command for CreateProject {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        work.by.check_whole_tenant()?;
        let (limits, fallback) = (self.limits.over(Limits::default()), self.fallback_budget_nano_usd);
        let inserted = projects::insert(&work.tx, &self.name, limits, fallback, work.now).await;
        let project = inserted.map_err(|error| ApiError::or_taken(error, NAME_TAKEN))?;
        let made = json!({ "name": project.name, "limits": project.limits, "fallback_budget_nano_usd": fallback });
        work.audit("project.created", project.id, made);
        let (location, version) = (format!("/api/v1/projects/{}", project.id), project.version);
        Ok(Answer::created(&ProjectView::from(project), &location).tagged(version))
    }
}
