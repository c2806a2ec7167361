//! Gives a project another name.

use keyway_domain::ProjectId;
use keyway_store::{StoreError, projects};
use serde_json::json;

use crate::{
    answer::Answer,
    error::ApiError,
    view::ProjectView,
    work::{Command, Work},
};

/// Which project, and its name to be.
pub(crate) struct RenameProject {
    pub(crate) id: ProjectId,
    pub(crate) name: String,
    pub(crate) expected: Option<i32>,
}

impl Command for RenameProject {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let renamed = projects::rename(&work.tx, self.id, &self.name, self.expected).await;
        let project = renamed.map_err(|error| match error {
            StoreError::NotFound => ApiError::not_found("project"),
            error => error.into(),
        })?;
        work.audit("project.renamed", project.id, json!({ "name": project.name }));
        let version = project.version;
        Ok(Answer::ok(&ProjectView::from(project)).tagged(version))
    }
}
