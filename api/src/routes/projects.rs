//! `/projects`: what integrations and virtual keys belong to.

use keyway_domain::ProjectId;
use keyway_store::projects;
use serde::Deserialize;
use utoipa::ToSchema;

use super::tenants::PageQuery;
use crate::{
    answer::Answer,
    call::Call,
    commands::{create_project::CreateProject, delete_project::DeleteProject, rename_project::RenameProject},
    cursor::{self, List},
    error::ApiError,
    input,
    view::ProjectView,
};

/// A project to make, or its new name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProjectInput {
    /// 1 to 100 characters, unique in the tenant.
    name: String,
}

/// Make a project.
#[utoipa::path(post, path = "/api/v1/projects", tag = "projects", request_body = ProjectInput,
    responses((status = 201, body = ProjectView), (status = 409, description = "`name_taken`")))]
pub(crate) async fn create(call: Call) -> Result<Answer, ApiError> {
    let name = input::name("name", &call.json::<ProjectInput>()?.name)?;
    call.commit(CreateProject { name }).await
}

/// List projects.
#[utoipa::path(get, path = "/api/v1/projects", tag = "projects", params(PageQuery),
    responses((status = 200, body = List<ProjectView>)))]
pub(crate) async fn list(call: Call) -> Result<Answer, ApiError> {
    let query: PageQuery = call.query()?;
    let page = cursor::page(query.limit, query.cursor.as_deref())?;
    let projects = projects::list(&call.read().await?, page).await?;
    Ok(Answer::ok(&List::of(projects, |row| row.id, ProjectView::from)))
}

/// Show a project.
#[utoipa::path(get, path = "/api/v1/projects/{id}", tag = "projects", params(("id" = String, Path)),
    responses((status = 200, body = ProjectView)))]
pub(crate) async fn detail(call: Call) -> Result<Answer, ApiError> {
    let id: ProjectId = call.id("project")?;
    let project = projects::find(&call.read().await?, id).await?.ok_or_else(|| ApiError::not_found("project"))?;
    let version = project.version;
    Ok(Answer::ok(&ProjectView::from(project)).tagged(version))
}

/// Rename a project.
#[utoipa::path(patch, path = "/api/v1/projects/{id}", tag = "projects", params(("id" = String, Path)),
    request_body = ProjectInput, responses((status = 200, body = ProjectView), (status = 409, description = "`name_taken`")))]
pub(crate) async fn update(call: Call) -> Result<Answer, ApiError> {
    let (id, expected) = (call.id("project")?, call.expected_version()?);
    let name = input::name("name", &call.json::<ProjectInput>()?.name)?;
    call.commit(RenameProject { id, name, expected }).await
}

/// Delete a project with its virtual keys. One that has integrations is kept, and `default` always is.
#[utoipa::path(delete, path = "/api/v1/projects/{id}", tag = "projects", params(("id" = String, Path)),
    responses((status = 204), (status = 409, description = "it has integrations, or is `default`")))]
pub(crate) async fn delete(call: Call) -> Result<Answer, ApiError> {
    let (id, expected) = (call.id("project")?, call.expected_version()?);
    call.commit(DeleteProject { id, expected }).await
}
