//! `/providers`: the catalog and the tenant's own OpenAI-compatible providers.

use keyway_domain::ProviderId;
use keyway_providers::AuthStyle;
use keyway_store::{Page, provider_models, providers};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    answer::Answer,
    call::Call,
    commands::{create_provider::CreateProvider, delete_provider::DeleteProvider, update_provider::UpdateProvider},
    cursor::List,
    error::ApiError,
    input::{self, Credentials, CredentialsSchema, ModelInput},
    limits::LimitsInput,
    openapi::words,
    provider_names::{self, Named},
    view::{Marks, ModelView, ProviderAccepted, ProviderView, ProviderWithModels},
};

/// A provider to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderInput {
    /// Name in paths and integrations: a-z, 0-9, '-', '_' and '.'.
    #[schema(min_length = 1, max_length = 64, pattern = "^[a-z0-9][a-z0-9._-]*$", example = "acme")]
    name: String,
    /// Display name; the name if left out.
    #[schema(min_length = 1, max_length = 100)]
    display_name: Option<String>,
    /// Base URL that `/chat/completions` is appended to: https, or a host the operator trusts.
    #[schema(max_length = 2048, example = "https://api.acme.dev/v1")]
    base_url: String,
    /// Way its keys are sent; `bearer` if left out.
    #[schema(value_type = Option<words::AuthStyle>)]
    auth: Option<String>,
    /// Key of the provider: it becomes an integration of the project `default` with the provider's name, is sealed and
    /// verified; watch the operation.
    #[schema(value_type = Option<CredentialsSchema>)]
    api_key: Option<Credentials>,
    /// Models it offers: names, or objects with a display name.
    #[serde(default)]
    #[schema(max_items = 500)]
    models: Vec<ModelInput>,
    /// Limits of all integrations of it together.
    #[serde(default)]
    limits: LimitsInput,
}

/// New values of a provider; a field that is left out keeps its value. A predefined one takes `api_key` and `limits`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderChange {
    /// Display name.
    #[schema(min_length = 1, max_length = 100)]
    display_name: Option<String>,
    /// Base URL. It cannot change while integrations use the provider, because their credentials are bound to it,
    /// except together with the only key. Of a predefined provider without a host of its own: the key's.
    #[schema(max_length = 2048)]
    base_url: Option<String>,
    /// Way its keys are sent.
    #[schema(value_type = Option<words::AuthStyle>)]
    auth: Option<String>,
    /// Key for the project `default`: it replaces the one that exists, or becomes an integration with the provider's
    /// name. It is sealed and verified; watch the operation.
    #[schema(value_type = Option<CredentialsSchema>)]
    api_key: Option<Credentials>,
    /// Limits of all integrations of it together, across projects.
    #[serde(default)]
    limits: LimitsInput,
}

/// List all providers: first the predefined ones, then the tenant's own.
#[utoipa::path(get, path = "/api/v1/providers", operation_id = "list_providers", tag = "providers", responses((status = 200, body = List<ProviderView>)))]
pub(crate) async fn list(call: Call) -> Result<Answer, ApiError> {
    Ok(Answer::ok(&List::whole(all(&call).await?)))
}

/// List the providers that the tenant has an integration of, with their models.
#[utoipa::path(get, path = "/api/v1/providers/with-keys", operation_id = "list_providers_with_keys", tag = "providers",
    responses((status = 200, body = List<ProviderWithModels>)))]
pub(crate) async fn with_keys(call: Call) -> Result<Answer, ApiError> {
    let own = provider_models::list(&call.read().await?, None).await?;
    let catalog = call.app.catalog.now();
    let providers = all(&call).await?.into_iter().filter(|provider| provider.has_api_key);
    let with_models = providers.map(|provider| {
        let spec = catalog.get(&provider.name).filter(|_| !provider.custom);
        let own = own.iter().filter(|model| model.provider == provider.name).cloned();
        ProviderWithModels { models: ModelView::all(&provider.name, spec, own), provider }
    });
    Ok(Answer::ok(&List::whole(with_models.collect())))
}

/// Create an OpenAI-compatible provider and, with `api_key`, its first integration.
#[utoipa::path(post, path = "/api/v1/providers", operation_id = "create_provider", tag = "providers", request_body = ProviderInput,
    responses((status = 201, body = ProviderAccepted), (status = 409, description = "`name_taken`, also by a predefined provider")))]
pub(crate) async fn create(call: Call) -> Result<Answer, ApiError> {
    let ProviderInput { name, display_name, base_url, auth, api_key, models, limits } = call.json()?;
    let name = input::new_slug("name", &name)?;
    let display_name = input::name("display_name", display_name.as_deref().unwrap_or(&name))?;
    let (auth, models) = (auth_style(auth.as_deref())?.unwrap_or_default(), input::models(models)?);
    let limits = limits.checked()?;
    call.commit(CreateProvider { name, display_name, base_url, auth, models, limits, api_key }).await
}

/// Show a provider.
#[utoipa::path(get, path = "/api/v1/providers/{id}", operation_id = "get_provider", tag = "providers",
    params(("id" = String, Path, description = "name, or id of a custom one")), responses((status = 200, body = ProviderView)))]
pub(crate) async fn detail(call: Call) -> Result<Answer, ApiError> {
    let tx = call.read().await?;
    let marks = Marks::load(&tx).await?;
    let shown = match provider_names::find(&call.app.catalog.now(), &tx, call.param()).await? {
        Named::Predefined(spec) => ProviderView::predefined(spec, &marks),
        Named::Custom(row) => ProviderView::custom(row, &marks),
    };
    Ok(Answer::ok(&shown).tagged(shown.version))
}

/// Change a provider: key and limits of a predefined one, every field of a custom one. Other fields stay.
#[utoipa::path(put, path = "/api/v1/providers/{id}", operation_id = "update_provider", tag = "providers",
    params(("id" = String, Path, description = "name or id")), request_body = ProviderChange,
    responses((status = 200, body = ProviderAccepted, description = "it was changed"),
        (status = 202, body = ProviderAccepted, description = "a key came along; `Location` is the operation that verifies it"),
        (status = 409, description = "it is predefined, integrations use it, or the project has several keys of it")))]
pub(crate) async fn update(call: Call) -> Result<Answer, ApiError> {
    let ProviderChange { display_name, base_url, auth, api_key, limits } = call.json()?;
    let (auth, limits) = (auth_style(auth.as_deref())?, limits.checked()?);
    let display_name = display_name.map(|name| input::name("display_name", &name)).transpose()?;
    let (name_or_id, expected) = (call.param().to_owned(), call.expected_version()?);
    call.commit(UpdateProvider { name_or_id, display_name, base_url, auth, limits, api_key, expected }).await
}

/// Delete a custom provider with its models. A provider that integrations use is kept.
#[utoipa::path(delete, path = "/api/v1/providers/{id}", operation_id = "delete_provider", tag = "providers",
    params(("id" = String, Path, description = "name or id")),
    responses((status = 204), (status = 409, description = "it is predefined, or integrations use it")))]
pub(crate) async fn delete(call: Call) -> Result<Answer, ApiError> {
    let (name_or_id, expected) = (call.param().to_owned(), call.expected_version()?);
    call.commit(DeleteProvider { name_or_id, expected }).await
}

fn auth_style(name: Option<&str>) -> Result<Option<AuthStyle>, ApiError> {
    let unknown = || ApiError::field("`auth` must be bearer, api_key or x_api_key");
    name.map(|name| AuthStyle::named(name).ok_or_else(unknown)).transpose()
}

async fn all(call: &Call) -> Result<Vec<ProviderView>, ApiError> {
    let tx = call.read().await?;
    let marks = Marks::load(&tx).await?;
    let custom = providers::list(&tx, Page::first(Page::<ProviderId>::MAX)).await?.items;
    let is_own = |name: &str| custom.iter().any(|row| row.name == name);
    let catalog = call.app.catalog.now();
    let predefined = catalog.providers().iter().filter(|spec| !is_own(&spec.name));
    let predefined: Vec<_> = predefined.map(|spec| ProviderView::predefined(spec, &marks)).collect();
    Ok(predefined.into_iter().chain(custom.into_iter().map(|row| ProviderView::custom(row, &marks))).collect())
}
