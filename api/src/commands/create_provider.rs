//! Creates a custom provider, with its first key if given.

use keyway_domain::{Invalidation, Limits, Routing};
use keyway_providers::AuthStyle;
use keyway_store::{
    provider_limits,
    provider_models::{self, NewModel},
    providers,
};
use serde_json::json;

use super::submit_integration::SubmitIntegration;
use crate::{
    answer::Answer,
    code::Code,
    config::Settings,
    error::ApiError,
    input::Credentials,
    limits::LimitsInput,
    view::{Marks, ProviderAccepted, ProviderView},
    work::{Command, Work},
};

/// Provider to create.
pub(crate) struct CreateProvider {
    pub(crate) name: String,
    pub(crate) display_name: String,
    pub(crate) base_url: String,
    pub(crate) auth: AuthStyle,
    pub(crate) models: Vec<NewModel>,
    pub(crate) limits: LimitsInput,
    /// Key of the provider, for the default project.
    pub(crate) api_key: Option<Credentials>,
}

impl Command for CreateProvider {
    fn starts_work(&self) -> bool {
        self.api_key.is_some()
    }

    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        if work.app.catalog.now().get(&self.name).is_some() {
            let message = "a predefined provider has this name: give it a key with `api_key` in PUT /api/v1/providers/{name}, \
                           or choose another name";
            return Err(ApiError::new(Code::NameTaken, message));
        }
        let base_url = work.app.guard.check_base_url(&self.base_url)?;
        let base_url = base_url.as_str().trim_end_matches('/');
        let (tx, auth) = (&work.tx, self.auth.name());
        let inserted = providers::insert(tx, &self.name, &self.display_name, base_url, auth, work.now).await;
        let row = inserted.map_err(|error| {
            let message =
                "a provider of this tenant has this name: change it with PUT /api/v1/providers/{name}, or choose another name";
            ApiError::or_taken(error, message)
        })?;
        provider_models::insert(&work.tx, &row.name, &self.models, work.now).await?;
        // Those of a predefined provider that left the catalog are not this one's.
        let before = provider_limits::find(&work.tx, &row.name).await?.map(|before| before.version);
        let limits = self.limits.over(Limits::default());
        if before.is_some() || !limits.is_empty() {
            provider_limits::set(&work.tx, &row.name, limits, before.unwrap_or(0)).await?;
        }
        let models: Vec<_> = self.models.iter().map(|model| &model.name).collect();
        let changes = json!({ "name": row.name, "base_url": row.base_url, "auth": row.auth, "models": models,
            "limits": limits });
        work.audit("provider.created", row.id, changes);
        work.invalidate(Invalidation::Providers);
        let submitted = match self.api_key {
            Some(api_key) => Some(first_key(&row.name, api_key, None).submit(work).await?),
            None => None,
        };
        let marks = Marks::load(&work.tx).await?;
        let (location, version) = (format!("/api/v1/providers/{}", row.id), row.version);
        let (integration, operation) = submitted.unzip();
        let body = ProviderAccepted {
            provider: ProviderView::custom(row, &marks),
            integration: integration.map(Into::into),
            replacement: None,
            operation: operation.map(Into::into),
        };
        Ok(Answer::created(&body, &location).tagged(version))
    }
}

/// Returns the submission of a key given with its provider: an integration of the default project, with the provider's
/// name.
pub(super) fn first_key(provider: &str, credentials: Credentials, base_url: Option<String>) -> SubmitIntegration {
    SubmitIntegration {
        project_id: None,
        provider: provider.to_owned(),
        name: provider.to_owned(),
        credentials,
        base_url,
        settings: Settings::default(),
        meta: None,
        routing: Routing::default(),
        limits: LimitsInput::default(),
        expires_at: None,
    }
}
