//! `/providers`: the catalog and the tenant's own OpenAI-compatible providers.

use std::collections::{HashMap, HashSet};

use keyway_domain::{IntegrationId, Limits, OperationId, ProviderId};
use keyway_providers::{AuthStyle, ProviderSpec};
use keyway_store::{
    Page, TenantTx, integrations,
    provider_limits::{self, ProviderLimits},
    provider_models,
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
    input::{self, Credentials, CredentialsSchema, ModelInput},
    limits::{LimitsInput, LimitsView},
    openapi::words,
    provider_names::{self, Named},
    view::{IntegrationView, OperationView, ReplacementView},
};

use super::ModelView;

/// A provider, predefined or the tenant's own.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProviderView {
    /// Id; null for a predefined provider, which is known by its name.
    #[schema(value_type = Option<words::ProviderId>)]
    id: Option<ProviderId>,
    #[schema(example = "openai")]
    name: String,
    display_name: String,
    /// `true` for a custom provider of the tenant.
    custom: bool,
    base_url: String,
    /// `true` if every integration must have its own `config.base_url`.
    needs_base_url: bool,
    /// Way its keys are sent; null for a predefined provider, for which it is built in.
    #[schema(value_type = Option<words::AuthStyle>)]
    auth: Option<&'static str>,
    /// Capabilities: `chat`, `completions`, `embeddings`, `messages`, `usage`.
    capabilities: Vec<&'static str>,
    /// `true` if the tenant has an integration of it.
    has_api_key: bool,
    /// Limits of all the tenant's integrations of it together, across projects.
    limits: LimitsView,
    /// Number of the tenant's changes to it, also its ETag; 0: a predefined provider, unchanged.
    pub(crate) version: i32,
}

/// A provider with the models it offers.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProviderWithModels {
    #[serde(flatten)]
    provider: ProviderView,
    models: Vec<ModelView>,
}

/// A provider that was created or changed and, if a key was given, its integration and the operation that verifies it.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProviderAccepted {
    #[serde(flatten)]
    pub(crate) provider: ProviderView,
    /// Integration of the given `api_key`; null: none was given.
    pub(crate) integration: Option<IntegrationView>,
    /// Credential that waits to replace the integration's, which serves until this one is verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replacement: Option<ReplacementView>,
    /// Verification of the key; null: there is none.
    pub(crate) operation: Option<OperationView>,
}

/// A tenant's facts about providers.
pub(crate) struct Marks {
    with_keys: HashSet<String>,
    limits: HashMap<String, ProviderLimits>,
}

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
    let name = input::slug("name", &name)?;
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

impl Marks {
    /// Reads a tenant's facts about providers.
    pub(crate) async fn load(tx: &TenantTx) -> Result<Self, ApiError> {
        let with_keys = integrations::providers_with_keys(tx).await?.into_iter().collect();
        let limits = provider_limits::of_tenant(tx).await?;
        Ok(Self { with_keys, limits: limits.into_iter().map(|row| (row.provider.clone(), row)).collect() })
    }

    fn limits(&self, provider: &str) -> Limits {
        self.limits.get(provider).map_or_else(Limits::default, |row| row.limits)
    }
}

impl ProviderView {
    /// Builds the view of a provider of the catalog.
    pub(crate) fn predefined(spec: &ProviderSpec, marks: &Marks) -> Self {
        Self {
            id: None,
            name: spec.name.clone(),
            display_name: spec.display_name.clone(),
            custom: false,
            base_url: spec.base_url.to_string(),
            needs_base_url: spec.needs_base_url,
            auth: None,
            capabilities: spec.capabilities.iter().map(|capability| capability.name()).collect(),
            has_api_key: marks.with_keys.contains(&spec.name),
            limits: marks.limits(&spec.name).into(),
            version: marks.limits.get(&spec.name).map_or(0, |row| row.version),
        }
    }

    /// Builds the view of a tenant's own provider.
    pub(crate) fn custom(row: ProviderRow, marks: &Marks) -> Self {
        Self {
            id: Some(row.id),
            has_api_key: marks.with_keys.contains(&row.name),
            limits: marks.limits(&row.name).into(),
            name: row.name,
            display_name: row.display_name,
            custom: true,
            base_url: row.base_url,
            needs_base_url: false,
            auth: AuthStyle::named(&row.auth).map(AuthStyle::name),
            capabilities: vec!["chat", "completions", "embeddings"],
            version: row.version,
        }
    }

    /// Returns the path to watch: the operation that verifies its new key, else the provider.
    pub(crate) fn location(&self, submitted: Option<(IntegrationId, Option<OperationId>)>) -> String {
        match submitted {
            Some((_, Some(operation))) => format!("/api/v1/operations/{operation}"),
            Some((integration, None)) => format!("/api/v1/integrations/{integration}"),
            None => format!("/api/v1/providers/{}", self.name),
        }
    }
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
