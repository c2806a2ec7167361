//! Deletes a project with its virtual keys.

use keyway_domain::ProjectId;
use keyway_store::projects;
use serde_json::json;

use crate::{
    answer::Answer,
    error::ApiError,
    etag,
    work::{Command, Work},
};

/// Project to delete.
pub(crate) struct DeleteProject {
    pub(crate) id: ProjectId,
    pub(crate) expected: Option<i32>,
}

impl Command for DeleteProject {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let project = projects::find(&work.tx, self.id).await?.ok_or_else(|| ApiError::not_found("project"))?;
        work.by.check_project(project.id, "project")?;
        etag::check(self.expected, project.version)?;
        if project.name == projects::DEFAULT_NAME {
            return Err(ApiError::conflict(
                "the project `default` always stays: it is for requests that name no project; what is in it can be deleted",
            ));
        }
        let deleted = projects::delete(&work.tx, self.id, self.expected).await;
        deleted.map_err(|error| {
            ApiError::or_conflict(error, "a project that has integrations is kept; delete its integrations first")
        })?;
        work.audit("project.deleted", project.id, json!({ "name": project.name }));
        // A cached virtual key of it finds nothing to call, since the project had no integration left.
        work.invalidate(keyway_domain::Invalidation::Integrations);
        Ok(Answer::no_content())
    }
}
