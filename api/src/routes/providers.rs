//! `/providers`: the catalog and the tenant's own OpenAI-compatible providers.

use std::collections::HashSet;

use keyway_domain::ProviderId;
use keyway_providers::{AuthStyle, ProviderSpec};
use keyway_store::{
    Page, TenantTx, integrations,
    providers::{self, ProviderRow},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    answer::Answer,
    call::Call,
    commands::{create_provider::CreateProvider, delete_provider::DeleteProvider, update_provider::UpdateProvider},
    cursor::List,
    error::ApiError,
    input,
    provider_names::{self, Named},
};

/// A provider, predefined or the tenant's own.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProviderView {
    /// null for a predefined provider, which is known by its name.
    #[schema(value_type = Option<String>)]
    id: Option<ProviderId>,
    #[schema(example = "openai")]
    name: String,
    display_name: String,
    /// Whether the tenant made it.
    custom: bool,
    base_url: String,
    /// Whether an integration has to bring its own `config.base_url`.
    needs_base_url: bool,
    /// How keys are sent: `bearer`, `api_key` or `x_api_key`; null for a predefined provider, whose ways are known.
    auth: Option<&'static str>,
    /// Of `chat`, `completions`, `embeddings`, `messages`, `usage`.
    capabilities: Vec<&'static str>,
    /// Whether the tenant has an integration of it.
    has_api_key: bool,
    /// Counts its changes, also its ETag; null for a predefined provider.
    version: Option<i32>,
}

/// A provider to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderInput {
    /// What paths and integrations call it: a-z, 0-9, '-', '_' and '.'.
    #[schema(example = "acme")]
    name: String,
    /// What people call it; the name if left out.
    display_name: Option<String>,
    /// What `/chat/completions` is appended to: https, or a host the operator trusts.
    #[schema(example = "https://api.acme.dev/v1")]
    base_url: String,
    /// How it takes its keys: `bearer` (the default), `api_key` or `x_api_key`.
    auth: Option<String>,
    /// The models it offers.
    #[serde(default)]
    models: Vec<String>,
}

/// A provider as it is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderChange {
    /// What people call it.
    display_name: String,
    /// Stays as it is while integrations use the provider: their credentials are bound to it.
    base_url: String,
    /// How it takes its keys; as it was if left out.
    auth: Option<String>,
}

/// List all providers: first the predefined ones, then the tenant's own.
#[utoipa::path(get, path = "/api/v1/providers", tag = "providers", responses((status = 200, body = List<ProviderView>)))]
pub(crate) async fn list(call: Call) -> Result<Answer, ApiError> {
    Ok(Answer::ok(&List::whole(all(&call).await?)))
}

/// List the providers that the tenant has an integration of.
#[utoipa::path(get, path = "/api/v1/providers/with-keys", tag = "providers",
    responses((status = 200, body = List<ProviderView>)))]
pub(crate) async fn with_keys(call: Call) -> Result<Answer, ApiError> {
    let providers = all(&call).await?.into_iter().filter(|provider| provider.has_api_key).collect();
    Ok(Answer::ok(&List::whole(providers)))
}

/// Make an OpenAI-compatible provider.
#[utoipa::path(post, path = "/api/v1/providers", tag = "providers", request_body = ProviderInput,
    responses((status = 201, body = ProviderView), (status = 409, description = "`name_taken`, also by a predefined provider")))]
pub(crate) async fn create(call: Call) -> Result<Answer, ApiError> {
    let ProviderInput { name, display_name, base_url, auth, models } = call.json()?;
    let name = input::slug("name", &name)?;
    let display_name = input::name("display_name", display_name.as_deref().unwrap_or(&name))?;
    let (auth, models) = (auth_style(auth.as_deref())?.unwrap_or_default(), input::models(models)?);
    call.commit(CreateProvider { name, display_name, base_url, auth, models }).await
}

/// Show a provider.
#[utoipa::path(get, path = "/api/v1/providers/{id}", tag = "providers",
    params(("id" = String, Path, description = "name, or id of a custom one")), responses((status = 200, body = ProviderView)))]
pub(crate) async fn detail(call: Call) -> Result<Answer, ApiError> {
    let tx = call.read().await?;
    let keys = keys(&tx).await?;
    Ok(match provider_names::find(&call.app.catalog.now(), &tx, call.param()).await? {
        Named::Predefined(spec) => Answer::ok(&ProviderView::predefined(spec, &keys)),
        Named::Custom(row) => {
            let version = row.version;
            Answer::ok(&ProviderView::custom(row, &keys)).tagged(version)
        }
    })
}

/// Change a custom provider.
#[utoipa::path(put, path = "/api/v1/providers/{id}", tag = "providers",
    params(("id" = String, Path, description = "name or id")), request_body = ProviderChange,
    responses((status = 200, body = ProviderView), (status = 409, description = "it is predefined, or integrations use it")))]
pub(crate) async fn update(call: Call) -> Result<Answer, ApiError> {
    let ProviderChange { display_name, base_url, auth } = call.json()?;
    let auth = auth_style(auth.as_deref())?;
    let display_name = input::name("display_name", &display_name)?;
    let (name_or_id, expected) = (call.param().to_owned(), call.expected_version()?);
    call.commit(UpdateProvider { name_or_id, display_name, base_url, auth, expected }).await
}

/// Delete a custom provider with its models. One that integrations use is kept.
#[utoipa::path(delete, path = "/api/v1/providers/{id}", tag = "providers",
    params(("id" = String, Path, description = "name or id")),
    responses((status = 204), (status = 409, description = "it is predefined, or integrations use it")))]
pub(crate) async fn delete(call: Call) -> Result<Answer, ApiError> {
    let (name_or_id, expected) = (call.param().to_owned(), call.expected_version()?);
    call.commit(DeleteProvider { name_or_id, expected }).await
}

/// The names of the providers the tenant has an integration of.
pub(crate) async fn keys(tx: &TenantTx) -> Result<HashSet<String>, ApiError> {
    Ok(integrations::providers_with_keys(tx).await?.into_iter().collect())
}

impl ProviderView {
    fn predefined(spec: &ProviderSpec, keys: &HashSet<String>) -> Self {
        Self {
            id: None,
            name: spec.name.clone(),
            display_name: spec.display_name.clone(),
            custom: false,
            base_url: spec.base_url.to_string(),
            needs_base_url: spec.needs_base_url,
            auth: None,
            capabilities: spec.capabilities.iter().map(|capability| capability.name()).collect(),
            has_api_key: keys.contains(&spec.name),
            version: None,
        }
    }

    /// A tenant's own provider.
    pub(crate) fn custom(row: ProviderRow, keys: &HashSet<String>) -> Self {
        Self {
            id: Some(row.id),
            has_api_key: keys.contains(&row.name),
            name: row.name,
            display_name: row.display_name,
            custom: true,
            base_url: row.base_url,
            needs_base_url: false,
            auth: AuthStyle::named(&row.auth).map(AuthStyle::name),
            capabilities: vec!["chat", "completions", "embeddings"],
            version: Some(row.version),
        }
    }
}

fn auth_style(name: Option<&str>) -> Result<Option<AuthStyle>, ApiError> {
    let unknown = || ApiError::field("`auth` must be bearer, api_key or x_api_key");
    name.map(|name| AuthStyle::named(name).ok_or_else(unknown)).transpose()
}

async fn all(call: &Call) -> Result<Vec<ProviderView>, ApiError> {
    let tx = call.read().await?;
    let keys = keys(&tx).await?;
    let custom = providers::list(&tx, Page::first(Page::<ProviderId>::MAX)).await?.items;
    let is_own = |name: &str| custom.iter().any(|row| row.name == name);
    let catalog = call.app.catalog.now();
    let predefined = catalog.providers().iter().filter(|spec| !is_own(&spec.name));
    let predefined: Vec<_> = predefined.map(|spec| ProviderView::predefined(spec, &keys)).collect();
    Ok(predefined.into_iter().chain(custom.into_iter().map(|row| ProviderView::custom(row, &keys))).collect())
}
