//! Adds models to a provider of the catalog or of the tenant.

use keyway_domain::Invalidation;
use keyway_store::provider_models::{self, NewModel};
use serde_json::json;

use crate::{
    answer::Answer,
    cursor::List,
    error::ApiError,
    provider_names,
    view::ModelView,
    work::{Command, Work},
};

/// Models to add, with their provider.
pub(crate) struct AddModels {
    pub(crate) name_or_id: String,
    pub(crate) models: Vec<NewModel>,
}

impl Command for AddModels {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let provider =
            provider_names::find(&work.app.catalog.now(), &work.tx, &self.name_or_id).await?.name().to_owned();
        provider_models::insert(&work.tx, &provider, &self.models, work.now).await?;
        let names: Vec<_> = self.models.iter().map(|model| &model.name).collect();
        work.audit("provider.models_added", &provider, json!({ "models": names }));
        work.invalidate(Invalidation::Providers);
        let models = provider_models::list(&work.tx, Some(&provider)).await?;
        let location = format!("/api/v1/providers/{provider}/models");
        Ok(Answer::created(&List::whole(models.into_iter().map(ModelView::from).collect()), &location))
    }
}
