//! Deletes a custom provider with its models.

use keyway_domain::Invalidation;
use keyway_store::providers;
use serde_json::json;

use crate::{
    answer::Answer,
    error::ApiError,
    etag, provider_names,
    work::{Command, Work},
};

/// Provider to delete.
pub(crate) struct DeleteProvider {
    pub(crate) name_or_id: String,
    pub(crate) expected: Option<i32>,
}

impl Command for DeleteProvider {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let row = provider_names::custom(&work.app.catalog.now(), &work.tx, &self.name_or_id).await?;
        etag::check(self.expected, row.version)?;
        let deleted = providers::delete(&work.tx, row.id, self.expected).await;
        deleted.map_err(|error| ApiError::or_conflict(error, "integrations use this provider; delete them first"))?;
        work.audit("provider.deleted", row.id, json!({ "name": row.name }));
        work.invalidate(Invalidation::Providers);
        Ok(Answer::no_content())
    }
}
