//! Makes a project.

use keyway_store::projects;
use serde_json::json;

use crate::{
    answer::Answer,
    error::ApiError,
    view::ProjectView,
    work::{Command, Work},
};

/// The project to make.
pub(crate) struct CreateProject {
    pub(crate) name: String,
}

impl Command for CreateProject {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let project = projects::insert(&work.tx, &self.name, work.now).await?;
        work.audit("project.created", project.id, json!({ "name": project.name }));
        let (location, version) = (format!("/api/v1/projects/{}", project.id), project.version);
        Ok(Answer::created(&ProjectView::from(project), &location).tagged(version))
    }
}
