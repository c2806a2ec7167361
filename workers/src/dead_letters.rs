//! Files messages that no handler can process as dead letters, so that they can be listed, replayed and discarded.
//!
//! Operations whose attempts are used up are filed by the status writer, in the transaction that ends them.

use std::sync::Arc;

use keyway_bus::DeadLetter;
use keyway_domain::{Label, Timestamp};
use keyway_store::{
    dead_letters::{self, DeadLetterRow},
    outbox,
};
use keyway_telemetry::metrics;
use tokio_util::sync::CancellationToken;

use crate::{Ctx, HandlerError, parked, patience};

/// Files dead letters until `stop`.
pub(crate) async fn run(ctx: Arc<Ctx>, stop: CancellationToken) {
    let mut letters = ctx.bus.dead_letters(&stop);
    while let Some(letter) = letters.next().await {
        let row = row(&letter);
        let DeadLetterRow { id, lane, .. } = &row;
        tokio::select! {
            () = stop.cancelled() => return,
            filed = patience::until_well("dead_letters", || file(&ctx, &row)) => match filed {
                Ok(Filed::Waits) => report(&row),
                Ok(Filed::GoesBack) => parked::report(&row),
                Err(error) => {
                    tracing::error!(lane, %id, %error, "a dead letter could not be filed, it will come again");
                    continue;
                }
            },
        }
        if let Err(error) = letter.ack().await {
            tracing::debug!(lane, %id, %error, "a filed dead letter will come again and be filed once");
        }
    }
}

/// Counts and logs a letter that is durably filed.
pub(crate) fn report(letter: &DeadLetterRow) {
    let DeadLetterRow { id, lane, reason, error, .. } = letter;
    metrics().dead_lettered.with_label_values(&[lane, reason]).inc();
    tracing::error!(lane, %id, reason, error, "a message was filed as a dead letter");
}

/// Result of filing a letter.
enum Filed {
    Waits,
    GoesBack,
}

fn row(letter: &DeadLetter) -> DeadLetterRow {
    DeadLetterRow {
        id: letter.message_id,
        // Also of a kind or version that only a later build reads: its owner replays it then.
        tenant_id: Label::read(&letter.body).tenant_id,
        lane: letter.lane.name().to_owned(),
        reason: letter.reason.name().to_owned(),
        error: letter.error.clone(),
        body: letter.body.clone(),
        attempts: letter.attempts,
        created_at: Timestamp::now(),
        replayed_at: None,
    }
}

async fn file(ctx: &Ctx, letter: &DeadLetterRow) -> Result<Filed, HandlerError> {
    let tx = ctx.store.system().await?;
    dead_letters::insert(&tx, letter.clone()).await?;
    outbox::delete(&tx, &[letter.id]).await?;
    let mut filed = Filed::Waits;
    // Another process parked it, on the broker: embedded, where the bus still has the message's row and takes
    // it away with the ack, what this process could not read it cannot read now.
    if let Some(message) = parked::message(letter) {
        parked::replay(&tx, letter, &message, parked::again_at(&message, letter.created_at)).await?;
        filed = Filed::GoesBack;
    }
    tx.commit().await?;
    Ok(filed)
}
