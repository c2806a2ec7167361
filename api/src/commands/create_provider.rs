//! Makes a custom provider.

use std::collections::HashSet;

use keyway_domain::Invalidation;
use keyway_providers::AuthStyle;
use keyway_store::{StoreError, provider_models, providers};
use serde_json::json;

use crate::{
    answer::Answer,
    error::ApiError,
    routes::ProviderView,
    work::{Command, Work},
};

/// The provider to make.
pub(crate) struct CreateProvider {
    pub(crate) name: String,
    pub(crate) display_name: String,
    pub(crate) base_url: String,
    pub(crate) auth: AuthStyle,
    pub(crate) models: Vec<String>,
}

impl Command for CreateProvider {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        if work.app.catalog.now().get(&self.name).is_some() {
            return Err(StoreError::NameTaken.into());
        }
        let base_url = work.app.guard.check_base_url(&self.base_url)?;
        let base_url = base_url.as_str().trim_end_matches('/');
        let (tx, auth) = (&work.tx, self.auth.name());
        let row = providers::insert(tx, &self.name, &self.display_name, base_url, auth, work.now).await?;
        provider_models::insert(&work.tx, &row.name, &self.models, work.now).await?;
        let changes = json!({ "name": row.name, "base_url": row.base_url, "auth": row.auth, "models": self.models });
        work.audit("provider.created", row.id, changes);
        work.invalidate(Invalidation::Providers);
        let (location, version) = (format!("/api/v1/providers/{}", row.id), row.version);
        Ok(Answer::created(&ProviderView::custom(row, &HashSet::new()), &location).tagged(version))
    }
}
