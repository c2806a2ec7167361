//! Hands a dead letter to its lane again, as the same message. A letter with reason `exhausted` is not sent again:
//! replaying it retries its operation.

use keyway_domain::{Message, MessageId, OperationId, Timestamp};
use keyway_store::{
    StoreError,
    dead_letters::{self, DeadLetterRow, EXHAUSTED},
    outbox,
};
use serde_json::json;

use super::retry_operation;
use crate::{
    App,
    answer::Answer,
    auth::Caller,
    call::Call,
    code::Code,
    error::ApiError,
    idempotency::Reservation,
    view::DeadLetterView,
    work::{Command, Journal, Work},
};

/// Replays the tenant's dead letter, or else, for the default tenant, one without a tenant.
pub(crate) async fn run(call: &Call, id: MessageId) -> Result<Answer, ApiError> {
    call.commit_or_beyond(ReplayDeadLetter { id }, |once| replay_unowned(&call.app, &call.by, once, id)).await
}

/// Dead letter to replay.
pub(crate) struct ReplayDeadLetter {
    pub(crate) id: MessageId,
}

impl Command for ReplayDeadLetter {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let letter = dead_letters::find(&work.tx, self.id).await?.ok_or_else(missing)?;
        let message = readable(&letter)?;
        if message.tenant_id != work.tx.tenant_id() {
            return Err(ApiError::conflict("its body is about another tenant; discard it"));
        }
        let location = match message.operation_id {
            Some(operation) if letter.reason == EXHAUSTED => try_again(work, operation).await?,
            _ => {
                outbox::insert(&work.tx, &[message], work.now).await?;
                "/api/v1/dead-letters".to_owned()
            }
        };
        dead_letters::mark_replayed(&work.tx, self.id, work.now).await?;
        work.audit("dead_letter.replayed", self.id, json!({ "lane": letter.lane }));
        let letter = dead_letters::find(&work.tx, self.id).await?.ok_or_else(missing)?;
        Ok(Answer::accepted(&DeadLetterView::from(letter), &location))
    }
}

async fn try_again(work: &mut Work<'_>, operation: OperationId) -> Result<String, ApiError> {
    let tried = retry_operation::again(work, operation).await;
    let row = tried.map_err(|error| match error {
        error if error.is(Code::NotFound) => ApiError::conflict("the operation it is about is gone; discard it"),
        error => error,
    })?;
    Ok(format!("/api/v1/operations/{}", row.id))
}

/// Replays a letter whose tenant could not be read when it was filed, and can be now; `once` keeps the answer.
pub(crate) async fn replay_unowned(
    app: &App,
    by: &Caller,
    once: Option<Reservation>,
    id: MessageId,
) -> Result<Answer, ApiError> {
    let now = Timestamp::now();
    let tx = app.store.system().await?;
    let letter = dead_letters::find_any(&tx, id).await?.filter(|letter| letter.tenant_id.is_none());
    let message = readable(&letter.ok_or_else(missing)?)?;
    outbox::insert(&tx, std::slice::from_ref(&message), now).await?;
    dead_letters::mark_unowned_replayed(&tx, id, message.tenant_id, now).await?;
    let mut journal = Journal::new(by, now);
    journal.audit("dead_letter.replayed", id, json!({ "owner": message.tenant_id }));
    journal.write(&tx).await?;
    let letter = dead_letters::find_any(&tx, id).await?.ok_or(StoreError::NotFound)?;
    let answer = Answer::accepted(&DeadLetterView::from(letter), "/api/v1/dead-letters");
    if let Some(once) = &once {
        once.keep_open(&tx, &answer, now).await?;
    }
    tx.commit().await?;
    Ok(answer)
}

fn readable(letter: &DeadLetterRow) -> Result<Message, ApiError> {
    Message::decode(&letter.body).map_err(|_| {
        ApiError::conflict("it is not a message this build can read; discard it, or upgrade: one that can be read then is replayed by itself")
    })
}

fn missing() -> ApiError {
    ApiError::not_found("dead letter")
}
