//! Hands a dead letter to its lane again, as the same message.

use keyway_domain::{Message, MessageId};
use keyway_store::{dead_letters, outbox};
use serde_json::json;

use crate::{
    answer::Answer,
    error::ApiError,
    routes::DeadLetterView,
    work::{Command, Work},
};

/// Which dead letter.
pub(crate) struct ReplayDeadLetter {
    pub(crate) id: MessageId,
}

impl Command for ReplayDeadLetter {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let missing = || ApiError::not_found("dead letter");
        let letter = dead_letters::find(&work.tx, self.id).await?.ok_or_else(missing)?;
        let message = Message::decode(&letter.body).ok().filter(|message| message.tenant_id == work.tx.tenant_id());
        let message = message.ok_or_else(|| {
            ApiError::conflict("it is not a message this build can read; discard it, or upgrade and replay it then")
        })?;
        outbox::insert(&work.tx, &[message], work.now).await?;
        dead_letters::mark_replayed(&work.tx, self.id, work.now).await?;
        work.audit("dead_letter.replayed", self.id, json!({ "lane": letter.lane.name() }));
        let letter = dead_letters::find(&work.tx, self.id).await?.ok_or_else(missing)?;
        Ok(Answer::accepted(&DeadLetterView::from(letter), "/api/v1/dead-letters"))
    }
}
