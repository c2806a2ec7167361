//! Discards a dead letter.

use keyway_domain::MessageId;
use keyway_store::{StoreError, dead_letters};
use serde_json::json;

use crate::{
    answer::Answer,
    error::ApiError,
    work::{Command, Work},
};

/// Which dead letter.
pub(crate) struct DiscardDeadLetter {
    pub(crate) id: MessageId,
}

impl Command for DiscardDeadLetter {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        dead_letters::delete(&work.tx, self.id).await.map_err(|error| match error {
            StoreError::NotFound => ApiError::not_found("dead letter"),
            error => error.into(),
        })?;
        work.audit("dead_letter.discarded", self.id, json!({}));
        Ok(Answer::no_content())
    }
}
