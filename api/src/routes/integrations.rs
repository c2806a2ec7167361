//! `/integrations`: submit a credential, watch it, change it, remove it. A credential goes in and
//! never comes out here.

use keyway_domain::{IntegrationId, IntegrationStatus, ProjectId, Routing, Timestamp};
use keyway_store::{
    Only, SortBy,
    integrations::{self, Filter},
    replacements, verdicts,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    answer::Answer,
    call::Call,
    commands::{
        delete_integration::DeleteIntegration, replace_credentials::ReplaceCredentials,
        submit_integration::SubmitIntegration, test_integration::TestIntegration,
        update_integration::UpdateIntegration,
    },
    config::{ConfigInput, Meta},
    cursor::List,
    error::ApiError,
    input::{self, Credentials, CredentialsSchema},
    limits::LimitsInput,
    listing,
    openapi::words,
    provider_names,
    view::{IntegrationDetail, IntegrationView, Started, Submitted},
};

/// Largest number of verdicts that a detail shows.
const HISTORY_ROWS: u64 = 50;
/// Sort fields of the list.
const SORTED_BY: listing::Fields = &[
    ("created_at", SortBy::CreatedAt),
    ("updated_at", SortBy::UpdatedAt),
    ("last_used_at", SortBy::LastUsedAt),
    ("name", SortBy::Name),
    ("provider", SortBy::Provider),
    ("status", SortBy::Status),
];

/// A credential to keep, verify and use.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IntegrationInput {
    /// Project; `default` if left out.
    #[schema(value_type = Option<words::ProjectId>)]
    project_id: Option<ProjectId>,
    /// Name of a predefined or custom provider.
    #[schema(min_length = 1, max_length = 64, example = "openai")]
    provider: String,
    /// Name, 1 to 100 characters, unique in the project.
    #[schema(min_length = 1, max_length = 100, example = "prod")]
    name: String,
    /// The key, or for a cloud provider its JSON object.
    #[schema(value_type = CredentialsSchema)]
    credentials: Credentials,
    #[serde(default)]
    config: ConfigInput,
    /// Note of your own, returned unchanged and never secret: an object of at most 4 KiB. `organization` and `project`
    /// of an OpenAI key work here too, if `config` does not have them.
    meta: Option<Meta>,
    /// Expiry of the credential, as far as its owner knows.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// Priority among a project's integrations that can serve the same call, 0 (if left out) to 100: the lowest is
    /// tried first.
    #[schema(minimum = 0, maximum = 100)]
    priority: Option<i32>,
    /// Share of the calls among integrations of the same priority: 1 (if left out) to 1000.
    #[schema(minimum = 1, maximum = 1000)]
    weight: Option<i32>,
    /// Limits of its use.
    #[serde(default)]
    limits: LimitsInput,
}

/// New values; a field that is left out keeps its value.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IntegrationChange {
    /// Name, 1 to 100 characters, unique in the project.
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// Settings. The base URL is bound to the credential: it may be repeated here, and is changed with the credential.
    config: Option<ConfigInput>,
    /// New note, which replaces the old one.
    meta: Option<Meta>,
    /// Expiry of the credential; null: never.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default, deserialize_with = "input::nullable")]
    expires_at: Option<Option<Timestamp>>,
    /// Priority, 0 to 100; the lowest is tried first.
    #[schema(minimum = 0, maximum = 100)]
    priority: Option<i32>,
    /// Share of the calls among integrations of the same priority, 1 to 1000.
    #[schema(minimum = 1, maximum = 1000)]
    weight: Option<i32>,
    #[serde(default)]
    limits: LimitsInput,
    /// false disables it; true enables it and verifies it anew.
    enabled: Option<bool>,
}

/// The credential that replaces the present one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CredentialsInput {
    /// The key, or for a cloud provider its JSON object.
    #[schema(value_type = CredentialsSchema)]
    credentials: Credentials,
    /// Settings of the new credential. If left out, all stay except the provider's id of the key.
    config: Option<ConfigInput>,
}

/// Options of replacing a credential.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReplaceQuery {
    /// `true`: at once and unchecked, even if the present credential works.
    force: Option<bool>,
}

/// Filter of integrations.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct IntegrationQuery {
    /// Project.
    #[param(value_type = Option<words::ProjectId>)]
    project_id: Option<ProjectId>,
    /// Provider's name.
    provider: Option<String>,
    /// Status.
    #[param(value_type = Option<words::IntegrationStatus>)]
    status: Option<IntegrationStatus>,
    /// Text in the name, ignoring case; 1 to 100 characters.
    #[param(min_length = 1, max_length = 100)]
    search: Option<String>,
    /// `created_at`, `updated_at`, `last_used_at`, `name`, `provider` or `status`, with a leading `-` for the reverse
    /// order; `-created_at` if left out.
    #[param(example = "-last_used_at")]
    sort: Option<String>,
    /// `true` to add `counts`: the number of integrations by status, ignoring `status`, `limit` and `cursor`.
    counts: Option<bool>,
    /// Page size, 1 to 200; 50 if left out.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// One page of integrations.
#[derive(Serialize, ToSchema)]
pub(crate) struct IntegrationList {
    items: Vec<IntegrationView>,
    /// Value of `cursor` for the next page; null on the last one.
    next_cursor: Option<String>,
    /// Counts over all pages; only with `counts=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<StatusCounts>,
}

/// Number of integrations by status.
#[derive(Default, Serialize, ToSchema)]
pub(crate) struct StatusCounts {
    verifying: i64,
    connected: i64,
    error: i64,
    disabled: i64,
}

impl StatusCounts {
    fn of(counts: &[(IntegrationStatus, i64)]) -> Self {
        let mut shown = Self::default();
        for (status, count) in counts {
            *match status {
                IntegrationStatus::Verifying => &mut shown.verifying,
                IntegrationStatus::Connected => &mut shown.connected,
                IntegrationStatus::Error => &mut shown.error,
                IntegrationStatus::Disabled => &mut shown.disabled,
            } = *count;
        }
        shown
    }
}

/// Submit a credential. It is sealed, stored and verified; watch the operation.
#[utoipa::path(post, path = "/api/v1/integrations", operation_id = "create_integration", tag = "integrations", request_body = IntegrationInput,
    responses((status = 202, body = Submitted), (status = 404, description = "no such project"),
        (status = 409, description = "`duplicate_key`, naming the integration that has it; `name_taken`")))]
pub(crate) async fn create(call: Call) -> Result<Answer, ApiError> {
    let input: IntegrationInput = call.json()?;
    let mut config = input.config;
    let submit = SubmitIntegration {
        project_id: input.project_id,
        provider: input.provider,
        name: input::name("name", &input.name)?,
        credentials: input.credentials,
        base_url: config.base_url.take(),
        settings: config.settings()?,
        meta: input.meta.map(Meta::checked).transpose()?,
        expires_at: input::expiry(input.expires_at, Timestamp::now())?,
        routing: Routing {
            priority: input::priority(input.priority)?.unwrap_or(Routing::default().priority),
            weight: input::weight(input.weight)?.unwrap_or(Routing::default().weight),
        },
        limits: input.limits.checked()?,
    };
    call.commit(submit).await
}

/// List integrations.
#[utoipa::path(get, path = "/api/v1/integrations", operation_id = "list_integrations", tag = "integrations", params(IntegrationQuery),
    responses((status = 200, body = IntegrationList)))]
pub(crate) async fn list(call: Call) -> Result<Answer, ApiError> {
    let query: IntegrationQuery = call.query()?;
    let sort = listing::sort(query.sort.as_deref(), SORTED_BY)?;
    let page = listing::page(query.limit, query.cursor.as_deref(), sort)?;
    let (project_id, provider, status) = (query.project_id, query.provider, query.status);
    let within = call.by.within(project_id)?;
    let filter = Filter { project_id, within, provider, status, search: listing::search(query.search)?, sort };
    let tx = call.read().await?;
    let is_first = page.after.is_none();
    let found = integrations::list(&tx, &filter, page).await?;
    if found.items.is_empty() && is_first {
        let named = Only { project_id, provider: filter.provider.clone(), ..Only::default() };
        provider_names::require_known(&named, &call.app.catalog.now(), &tx).await?;
    }
    let counts = match query.counts {
        Some(true) => Some(StatusCounts::of(&integrations::count_of_each(&tx, &filter).await?)),
        _ => None,
    };
    let List { items, next_cursor } = List::of(found, |row| row.place(sort.by), IntegrationView::from);
    Ok(Answer::ok(&IntegrationList { items, next_cursor, counts }))
}

/// Show an integration with the history of its verdicts.
#[utoipa::path(get, path = "/api/v1/integrations/{id}", operation_id = "get_integration", tag = "integrations", params(("id" = inline(words::IntegrationId), Path)),
    responses((status = 200, body = IntegrationDetail)))]
pub(crate) async fn detail(call: Call) -> Result<Answer, ApiError> {
    let id: IntegrationId = call.id("integration")?;
    let tx = call.read().await?;
    let row = integrations::find(&tx, id).await?.ok_or_else(|| ApiError::not_found("integration"))?;
    call.by.check_project(row.project_id, "integration")?;
    let history = verdicts::history(&tx, id, HISTORY_ROWS).await?;
    let replacement = replacements::find(&tx, id).await?.map(Into::into);
    let version = row.version;
    let history = history.into_iter().map(Into::into).collect();
    Ok(Answer::ok(&IntegrationDetail { integration: row.into(), replacement, history }).tagged(version))
}

/// Change an integration's name, expiry, limits or place among others, or switch it off or on.
#[utoipa::path(patch, path = "/api/v1/integrations/{id}", operation_id = "update_integration", tag = "integrations", params(("id" = inline(words::IntegrationId), Path)),
    request_body = IntegrationChange, responses((status = 200, body = Submitted), (status = 409, description = "`name_taken`")))]
pub(crate) async fn update(call: Call) -> Result<Answer, ApiError> {
    let (id, expected) = (call.id("integration")?, call.expected_version()?);
    let change: IntegrationChange = call.json()?;
    let now = Timestamp::now();
    let mut config = change.config.unwrap_or_default();
    let update = UpdateIntegration {
        id,
        name: change.name.map(|name| input::name("name", &name)).transpose()?,
        base_url: config.base_url.take(),
        settings: config.settings()?,
        meta: change.meta.map(Meta::checked).transpose()?,
        expires_at: change.expires_at.map(|expires_at| input::expiry(expires_at, now)).transpose()?,
        priority: input::priority(change.priority)?,
        weight: input::weight(change.weight)?,
        limits: change.limits.checked()?,
        enabled: change.enabled,
        expected,
    };
    call.commit(update).await
}

/// Delete an integration with its credential. Its usage stays. `Location` is the operation that ends when no replica
/// serves with it any more.
#[utoipa::path(delete, path = "/api/v1/integrations/{id}", operation_id = "delete_integration", tag = "integrations", params(("id" = inline(words::IntegrationId), Path)),
    responses((status = 204)))]
pub(crate) async fn delete(call: Call) -> Result<Answer, ApiError> {
    let (id, expected) = (call.id("integration")?, call.expected_version()?);
    call.commit(DeleteIntegration { id, expected }).await
}

/// Verify an integration now.
#[utoipa::path(post, path = "/api/v1/integrations/{id}/test", operation_id = "test_integration", tag = "integrations", params(("id" = inline(words::IntegrationId), Path)),
    responses((status = 202, body = Started), (status = 409, description = "it is disabled")))]
pub(crate) async fn test(call: Call) -> Result<Answer, ApiError> {
    call.commit(TestIntegration { id: call.id("integration")? }).await
}

/// Replace an integration's credential, and with it, if given, its base URL. One that works goes on serving until the
/// new one is verified: then the new one takes its place, or is refused, and the operation fails with
/// `new_key_refused`.
#[utoipa::path(put, path = "/api/v1/integrations/{id}/credentials", operation_id = "replace_integration_credentials", tag = "integrations", params(("id" = inline(words::IntegrationId), Path), ReplaceQuery),
    request_body = CredentialsInput,
    responses((status = 202, body = Submitted), (status = 409, description = "`duplicate_key`, naming the integration that has it")))]
pub(crate) async fn replace_credentials(call: Call) -> Result<Answer, ApiError> {
    let (id, expected) = (call.id("integration")?, call.expected_version()?);
    let force = call.query::<ReplaceQuery>()?.force.unwrap_or(false);
    let CredentialsInput { credentials, config } = call.json()?;
    if config.as_ref().is_some_and(|config| config.provider_key_id.is_some()) {
        return Err(ApiError::field("`config.provider_key_id` is changed with PATCH /api/v1/integrations/{id}"));
    }
    let binding = match config {
        Some(mut config) => Some((config.base_url.take(), config.settings()?)),
        None => None,
    };
    call.commit(ReplaceCredentials { id, credentials, binding, force, expected }).await
}
