//! Files what no handler can be given, so that it can be listed, replayed and discarded.

use std::sync::Arc;

use keyway_bus::DeadLetter;
use keyway_domain::{Message, Timestamp};
use keyway_store::dead_letters::{self, DeadLetterRow};
use keyway_telemetry::metrics;
use tokio_util::sync::CancellationToken;

use crate::{Ctx, HandlerError, patience};

/// Files dead letters until `stop`.
pub(crate) async fn run(ctx: Arc<Ctx>, stop: CancellationToken) {
    let mut letters = ctx.bus.dead_letters(&stop);
    while let Some(letter) = letters.next().await {
        let (lane, reason, id) = (letter.lane, letter.reason.name(), letter.message_id);
        tokio::select! {
            () = stop.cancelled() => return,
            filed = patience::until_well("dead_letters", || file(&ctx, &letter)) => if let Err(error) = filed {
                tracing::error!(%lane, %id, %error, "a dead letter could not be filed, it will come again");
                continue;
            },
        }
        metrics().dead_lettered.with_label_values(&[lane.name(), reason]).inc();
        tracing::error!(%lane, %id, reason, error = letter.error, "a message was filed as a dead letter");
        if let Err(error) = letter.ack().await {
            tracing::debug!(%lane, %id, %error, "a filed dead letter will come again and be filed once");
        }
    }
}

async fn file(ctx: &Ctx, letter: &DeadLetter) -> Result<(), HandlerError> {
    let tx = ctx.store.system().await?;
    let tenant_id = Message::decode(&letter.body).ok().map(|message| message.tenant_id);
    let row = DeadLetterRow {
        id: letter.message_id,
        tenant_id,
        lane: letter.lane,
        reason: letter.reason.name().to_owned(),
        error: letter.error.clone(),
        body: letter.body.clone(),
        attempts: letter.attempts,
        created_at: Timestamp::now(),
        replayed_at: None,
    };
    dead_letters::insert(&tx, row).await?;
    Ok(tx.commit().await?)
}
