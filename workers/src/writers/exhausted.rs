//! Operations whose attempts are used up, as dead letters: filed in the transaction that ends them.
//!
//! The letter is the message of the last attempt and names its operation, which has the history. Replaying the letter
//! retries that operation; nothing here decides when.

use keyway_domain::{Body, Code, Message, MessageId, OperationId, OperationKind, Timestamp};
use keyway_store::{
    SystemTx,
    dead_letters::{self, DeadLetterRow, EXHAUSTED},
    operations::{OperationRow, Origin},
};

use crate::HandlerError;

/// An operation that had its last attempt.
pub(super) struct Exhausted<'m> {
    pub(super) id: OperationId,
    /// Code of the last attempt.
    pub(super) cause: Option<Code>,
    /// Event that reported the failure.
    pub(super) message: &'m Message,
}

/// Files those of the operations that failed now; `locked` holds the operations as they were before.
pub(super) async fn file(
    tx: &SystemTx,
    exhausted: &[Exhausted<'_>],
    failed: &[OperationId],
    locked: &[OperationRow],
) -> Result<Vec<DeadLetterRow>, HandlerError> {
    let mut filed = Vec::new();
    for row in locked.iter().filter(|row| failed.contains(&row.id)) {
        let of_attempt = |it: &&Exhausted<'_>| it.id == row.id && it.message.attempt == row.attempt;
        let Some(exhausted) = exhausted.iter().find(of_attempt) else { continue };
        // The schedule itself comes back to what it has started: there is nothing for anybody to replay.
        if row.origin == Origin::Schedule && row.kind == OperationKind::VerifyKey {
            continue;
        }
        let letter = letter(row, exhausted)?;
        dead_letters::insert(tx, letter.clone()).await?;
        filed.push(letter);
    }
    Ok(filed)
}

fn letter(row: &OperationRow, exhausted: &Exhausted<'_>) -> Result<DeadLetterRow, HandlerError> {
    let id = MessageId::of_attempt(row.id, row.attempt);
    let message = Message { id, body: Body::Command(row.command.clone()), ..exhausted.message.clone() };
    let code = exhausted.cause.unwrap_or(Code::AttemptsExhausted);
    Ok(DeadLetterRow {
        id,
        tenant_id: Some(row.tenant_id),
        lane: row.command.lane().name().to_owned(),
        reason: EXHAUSTED.to_owned(),
        error: format!("{}: {}", code.name(), code.message()),
        body: message.encode().map_err(|error| HandlerError::Defect(error.to_string()))?,
        attempts: row.attempt,
        created_at: Timestamp::now(),
        replayed_at: None,
    })
}
