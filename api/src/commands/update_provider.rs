//! Changes a custom provider.

use keyway_domain::Invalidation;
use keyway_providers::AuthStyle;
use keyway_store::providers;
use serde_json::json;

use crate::{
    answer::Answer,
    error::ApiError,
    provider_names,
    routes::{ProviderView, keys},
    work::{Command, Work},
};

/// The provider as it is to be.
pub(crate) struct UpdateProvider {
    pub(crate) name_or_id: String,
    pub(crate) display_name: String,
    pub(crate) base_url: String,
    pub(crate) auth: Option<AuthStyle>,
    pub(crate) expected: Option<i32>,
}

impl Command for UpdateProvider {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let before = provider_names::custom(&work.app.catalog.now(), &work.tx, &self.name_or_id).await?;
        let base_url = work.app.guard.check_base_url(&self.base_url)?;
        let base_url = base_url.as_str().trim_end_matches('/');
        let auth = self.auth.map_or(before.auth, |auth| auth.name().to_owned());
        let updated = providers::update(&work.tx, before.id, &self.display_name, base_url, &auth, self.expected).await;
        let row = updated.map_err(|error| {
            ApiError::or_conflict(
                error,
                "integrations use this provider and their credentials are bound to its base URL; make another provider",
            )
        })?;
        work.audit(
            "provider.updated",
            row.id,
            json!({ "display_name": row.display_name, "base_url": row.base_url, "auth": row.auth }),
        );
        work.invalidate(Invalidation::Providers);
        let (keys, version) = (keys(&work.tx).await?, row.version);
        Ok(Answer::ok(&ProviderView::custom(row, &keys)).tagged(version))
    }
}
