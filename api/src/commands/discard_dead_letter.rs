//! Discards a dead letter. The default tenant may discard one without a tenant.

use keyway_domain::{MessageId, Timestamp};
use keyway_store::{StoreError, dead_letters};
use serde_json::json;

use crate::{
    App,
    answer::Answer,
    auth::Caller,
    call::Call,
    error::ApiError,
    idempotency::Reservation,
    work::{Command, Journal, Work},
};

/// Discards the tenant's dead letter, or else one without a tenant.
pub(crate) async fn run(call: &Call, id: MessageId) -> Result<Answer, ApiError> {
    call.commit_or_beyond(DiscardDeadLetter { id }, |once| discard_unowned(&call.app, &call.by, once, id)).await
}

/// Dead letter to discard.
pub(crate) struct DiscardDeadLetter {
    pub(crate) id: MessageId,
}

impl Command for DiscardDeadLetter {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        dead_letters::delete(&work.tx, self.id).await.map_err(missing)?;
        work.audit("dead_letter.discarded", self.id, json!({}));
        Ok(Answer::no_content())
    }
}

/// Discards a letter without a tenant; `once` keeps the answer.
pub(crate) async fn discard_unowned(
    app: &App,
    by: &Caller,
    once: Option<Reservation>,
    id: MessageId,
) -> Result<Answer, ApiError> {
    let now = Timestamp::now();
    let tx = app.store.system().await?;
    dead_letters::delete_unowned(&tx, id).await.map_err(missing)?;
    let mut journal = Journal::new(by, now);
    journal.audit("dead_letter.discarded", id, json!({ "owner": null }));
    journal.write(&tx).await?;
    let answer = Answer::no_content();
    if let Some(once) = &once {
        once.keep_open(&tx, &answer, now).await?;
    }
    tx.commit().await?;
    Ok(answer)
}

fn missing(error: StoreError) -> ApiError {
    match error {
        StoreError::NotFound => ApiError::not_found("dead letter"),
        error => error.into(),
    }
}
