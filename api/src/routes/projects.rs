//! `/projects`: groups of integrations and virtual keys.

use keyway_domain::{ProjectId, Timestamp};
use keyway_store::{SortBy, projects};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    answer::Answer,
    call::Call,
    commands::{create_project::CreateProject, delete_project::DeleteProject, update_project::UpdateProject},
    cursor::List,
    error::ApiError,
    fallback::FallbackInput,
    input,
    limits::LimitsInput,
    listing,
    openapi::words,
    view::ProjectView,
};

/// A project to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProjectInput {
    /// Name, 1 to 100 characters, unique in the tenant.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// Limits of its virtual keys together.
    #[serde(default)]
    limits: LimitsInput,
    /// Consent to send calls that no integration serves to OpenRouter with the operator's key, if there is one; null or
    /// left out: no consent.
    fallback: Option<FallbackInput>,
}

/// New values; a field that is left out keeps its value.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProjectChange {
    /// Name, 1 to 100 characters, unique in the tenant.
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    #[serde(default)]
    limits: LimitsInput,
    /// Consent to send calls that no integration serves to OpenRouter with the operator's key, if there is one; null:
    /// no consent.
    #[schema(value_type = Option<FallbackInput>)]
    #[serde(default, deserialize_with = "input::nullable")]
    fallback: Option<Option<FallbackInput>>,
}

/// Filter of projects.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ProjectQuery {
    /// Text in the name, ignoring case; 1 to 100 characters.
    #[param(min_length = 1, max_length = 100)]
    search: Option<String>,
    /// `created_at` or `name`, with a leading `-` for the reverse order; `-created_at` if left out.
    #[param(example = "name")]
    sort: Option<String>,
    /// Page size, 1 to 200; 50 if left out.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Sort fields of the list.
const SORTED_BY: listing::Fields = &[("created_at", SortBy::CreatedAt), ("name", SortBy::Name)];

/// Create a project.
#[utoipa::path(post, path = "/api/v1/projects", operation_id = "create_project", tag = "projects", request_body = ProjectInput,
    responses((status = 201, body = ProjectView), (status = 409, description = "`name_taken`")))]
pub(crate) async fn create(call: Call) -> Result<Answer, ApiError> {
    let ProjectInput { name, limits, fallback } = call.json()?;
    let fallback_budget_nano_usd = fallback.map(FallbackInput::checked).transpose()?;
    let (name, limits) = (input::name("name", &name)?, limits.checked()?);
    call.commit(CreateProject { name, limits, fallback_budget_nano_usd }).await
}

/// List projects.
#[utoipa::path(get, path = "/api/v1/projects", operation_id = "list_projects", tag = "projects", params(ProjectQuery),
    responses((status = 200, body = List<ProjectView>)))]
pub(crate) async fn list(call: Call) -> Result<Answer, ApiError> {
    let query: ProjectQuery = call.query()?;
    let sort = listing::sort(query.sort.as_deref(), SORTED_BY)?;
    let page = listing::page(query.limit, query.cursor.as_deref(), sort)?;
    let search = listing::search(query.search)?;
    let within = call.by.within(None)?;
    let projects = projects::list(&call.read().await?, (search.as_deref(), within.as_deref()), sort, page).await?;
    Ok(Answer::ok(&List::of(projects, |row| row.place(sort.by), ProjectView::from)))
}

/// Show a project.
#[utoipa::path(get, path = "/api/v1/projects/{id}", operation_id = "get_project", tag = "projects", params(("id" = inline(words::ProjectId), Path)),
    responses((status = 200, body = ProjectView)))]
pub(crate) async fn detail(call: Call) -> Result<Answer, ApiError> {
    let id: ProjectId = call.id("project")?;
    call.by.check_project(id, "project")?;
    let tx = call.read().await?;
    let project = projects::find(&tx, id).await?.ok_or_else(|| ApiError::not_found("project"))?;
    let version = project.version;
    let mut view = ProjectView::from(project);
    if let Some(fallback) = view.fallback.take() {
        view.fallback = Some(fallback.used(projects::fallback_use(&tx, id, Timestamp::now()).await?));
    }
    Ok(Answer::ok(&view).tagged(version))
}

/// Change a project's name, limits or consent to the operator's key.
#[utoipa::path(patch, path = "/api/v1/projects/{id}", operation_id = "update_project", tag = "projects", params(("id" = inline(words::ProjectId), Path)),
    request_body = ProjectChange, responses((status = 200, body = ProjectView), (status = 409, description = "`name_taken`")))]
pub(crate) async fn update(call: Call) -> Result<Answer, ApiError> {
    let (id, expected) = (call.id("project")?, call.expected_version()?);
    let ProjectChange { name, limits, fallback } = call.json()?;
    let name = name.map(|name| input::name("name", &name)).transpose()?;
    let fallback_budget_nano_usd = fallback.map(|it| it.map(FallbackInput::checked).transpose()).transpose()?;
    call.commit(UpdateProject { id, name, limits: limits.checked()?, fallback_budget_nano_usd, expected }).await
}

/// Delete a project with its virtual keys. A project with integrations is kept, and `default` always is.
#[utoipa::path(delete, path = "/api/v1/projects/{id}", operation_id = "delete_project", tag = "projects", params(("id" = inline(words::ProjectId), Path)),
    responses((status = 204), (status = 409, description = "it has integrations, or is `default`")))]
pub(crate) async fn delete(call: Call) -> Result<Answer, ApiError> {
    let (id, expected) = (call.id("project")?, call.expected_version()?);
    call.commit(DeleteProject { id, expected }).await
}
