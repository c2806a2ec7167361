//! Deletes a model that the tenant added.

use keyway_domain::Invalidation;
use keyway_store::{StoreError, provider_models};
use serde_json::json;
use uuid::Uuid;

use crate::{
    answer::Answer,
    error::ApiError,
    work::{Command, Work},
};

/// Model to delete.
pub(crate) struct DeleteModel {
    pub(crate) id: Uuid,
}

impl Command for DeleteModel {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let deleted = provider_models::delete(&work.tx, self.id).await;
        let model = deleted.map_err(|error| match error {
            StoreError::NotFound => ApiError::not_found("model"),
            error => error.into(),
        })?;
        work.audit("provider.model_deleted", &model.provider, json!({ "model": model.model }));
        work.invalidate(Invalidation::Providers);
        Ok(Answer::no_content())
    }
}
