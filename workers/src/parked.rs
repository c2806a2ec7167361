//! Messages that an older build parked as dead letters and this build can read: back to their lane, without an
//! operator.
//!
//! While two builds run side by side, the older one parks messages that only the newer one can read. A letter goes back
//! in the transaction that marks it replayed and audits that, so once for each time it was filed; a letter with any
//! other reason waits for a decision, and is never touched here.

use std::{sync::Arc, time::Duration};

use keyway_domain::{AuditEvent, Body, DeadReason, Event, Message, Timestamp};
use keyway_store::{
    StoreError, SystemTx,
    dead_letters::{self, DeadLetterRow},
    outbox::{self, Due},
};
use keyway_telemetry::metrics;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::Ctx;

/// Interval at which all letters are checked, which finds those that an older process filed last.
const EVERY: Duration = Duration::from_secs(300);
/// Largest number of letters held in memory at once.
const PAGE: u64 = 16;
/// Shortest delay until a message may reach a process again that cannot read it.
const SOONEST: Duration = Duration::from_secs(5);
const LATEST: Duration = Duration::from_secs(300);

/// Checks the letters at the start and at intervals, until `stop`.
pub(crate) async fn run(ctx: Arc<Ctx>, stop: CancellationToken) {
    loop {
        if let Some(Err(error)) = stop.run_until_cancelled(look_through(&ctx)).await {
            tracing::warn!(%error, "parked messages could not be looked through, that is tried again");
        }
        if stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
            return;
        }
    }
}

/// Hands a letter that is filed in `tx` back to its lane, due at `due`. Returns `false` if the letter no longer waits.
pub(crate) async fn replay(
    tx: &SystemTx,
    letter: &DeadLetterRow,
    message: &Message,
    due: Timestamp,
) -> Result<bool, StoreError> {
    let now = Timestamp::now();
    if !dead_letters::mark_read(tx, letter.id, message.tenant_id, now).await? {
        return Ok(false);
    }
    let changes = json!({ "lane": letter.lane, "reason": letter.reason });
    let audited = AuditEvent::by_system("dead_letters", "dead_letter.replayed", letter.id, now, changes);
    // The same for each time it was filed, so that a commit whose answer was lost is audited once.
    let id = letter.id.derived(&format!("dead_letter.replayed at {}", letter.created_at.ms()));
    let audited = Message::new(id, message.tenant_id, Body::Event(Event::Audited(audited)));
    outbox::insert_due(tx, &[Due { message, at: due }, Due { message: &audited, at: now }]).await?;
    Ok(true)
}

/// Counts and logs a letter whose replay is committed.
pub(crate) fn report(letter: &DeadLetterRow) {
    let DeadLetterRow { id, lane, reason, .. } = letter;
    metrics().dead_letters_replayed.with_label_values(&[lane]).inc();
    tracing::warn!(%id, lane, reason, "a message that an older build parked goes back to its lane");
}

/// Returns the message of a letter that another build could not read, if this build reads it.
pub(crate) fn message(letter: &DeadLetterRow) -> Option<Message> {
    if !DeadReason::UNREAD.iter().any(|reason| reason.name() == letter.reason) {
        return None;
    }
    let message = Message::decode(&letter.body).ok()?;
    // Whoever wrote the outside of it did not mean this tenant: that is an operator's to decide.
    letter.tenant_id.is_none_or(|tenant_id| tenant_id == message.tenant_id).then_some(message)
}

/// Returns the time at which a message may reach a worker again that perhaps cannot read it: the older the message, the
/// later, so that it moves between two builds only a few times until the upgrade is over.
pub(crate) fn again_at(message: &Message, now: Timestamp) -> Timestamp {
    now.after(now.since(message.created_at).clamp(SOONEST, LATEST))
}

async fn look_through(ctx: &Ctx) -> Result<(), StoreError> {
    let (reasons, mut after) = (DeadReason::UNREAD.map(DeadReason::name), None);
    loop {
        let letters = dead_letters::waiting(&ctx.store.system_read().await?, &reasons, after, PAGE).await?;
        let Some(last) = letters.last() else { return Ok(()) };
        after = Some(last.id);
        let readable: Vec<_> = letters.iter().filter_map(|letter| Some((letter, message(letter)?))).collect();
        if readable.is_empty() {
            continue;
        }
        let (tx, now, mut replayed) = (ctx.store.system().await?, Timestamp::now(), Vec::new());
        for (letter, message) in &readable {
            if replay(&tx, letter, message, now).await? {
                replayed.push(*letter);
            }
        }
        tx.commit().await?;
        replayed.into_iter().for_each(report);
    }
}

#[cfg(test)]
mod tests {
    use keyway_domain::{Command, MessageId, TenantId};

    use super::*;

    #[test]
    fn the_older_a_message_the_later_it_comes_again_within_limits() {
        let body = Body::Command(Command::MeterCalls { calls: Vec::new() });
        let written = Message::new(MessageId::new(), TenantId::new(), body);
        for (age_s, pause_s) in [(0, 5), (3, 5), (60, 60), (86_400, 300)] {
            let now = written.created_at.after(Duration::from_secs(age_s));
            assert_eq!(again_at(&written, now), now.after(Duration::from_secs(pause_s)), "{age_s} s old");
        }
        let skewed = written.created_at.before(Duration::from_secs(60));
        assert_eq!(again_at(&written, skewed), skewed.after(SOONEST), "written by a clock that is ahead");
    }
}
