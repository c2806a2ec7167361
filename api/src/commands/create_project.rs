//! Makes a project.

use keyway_domain::Limits;
use keyway_store::projects;
use serde_json::json;

use crate::{
    answer::Answer,
    error::ApiError,
    limits::LimitsInput,
    view::ProjectView,
    work::{Command, Work},
};

/// The project to make.
pub(crate) struct CreateProject {
    pub(crate) name: String,
    pub(crate) limits: LimitsInput,
}

impl Command for CreateProject {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let project = projects::insert(&work.tx, &self.name, self.limits.over(Limits::default()), work.now).await?;
        work.audit("project.created", project.id, json!({ "name": project.name, "limits": project.limits }));
        let (location, version) = (format!("/api/v1/projects/{}", project.id), project.version);
        Ok(Answer::created(&ProjectView::from(project), &location).tagged(version))
    }
}
