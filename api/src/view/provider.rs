//! Providers, of the catalog and of the tenant.

use std::collections::{HashMap, HashSet};

use keyway_domain::{IntegrationId, Limits, OperationId, ProviderId};
use keyway_providers::{AuthStyle, ProviderSpec};
use keyway_store::{
    TenantTx, integrations,
    provider_limits::{self, ProviderLimits},
    providers::ProviderRow,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{IntegrationView, ModelView, OperationView, ReplacementView};
use crate::{error::ApiError, limits::LimitsView, openapi::words};

/// A provider, predefined or the tenant's own.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProviderView {
    /// Id; null for a predefined provider, which is known by its name.
    #[schema(value_type = Option<words::ProviderId>)]
    id: Option<ProviderId>,
    #[schema(example = "openai")]
    pub(crate) name: String,
    display_name: String,
    /// `true` for a custom provider of the tenant.
    pub(crate) custom: bool,
    base_url: String,
    /// `true` if every integration must have its own `config.base_url`.
    needs_base_url: bool,
    /// Way its keys are sent; null for a predefined provider, for which it is built in.
    #[schema(value_type = Option<words::AuthStyle>)]
    auth: Option<&'static str>,
    /// Capabilities: `chat`, `completions`, `embeddings`, `messages`, `usage`.
    capabilities: Vec<&'static str>,
    /// `true` if the tenant has an integration of it.
    pub(crate) has_api_key: bool,
    /// Limits of all the tenant's integrations of it together, across projects.
    limits: LimitsView,
    /// Number of the tenant's changes to it, also its ETag; 0: a predefined provider, unchanged.
    pub(crate) version: i32,
}

/// A provider with the models it offers.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProviderWithModels {
    #[serde(flatten)]
    pub(crate) provider: ProviderView,
    pub(crate) models: Vec<ModelView>,
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
