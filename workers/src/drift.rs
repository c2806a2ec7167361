//! Tells owners of keys that were used outside Keyway: what their provider reports of a day is more than what
//! went through the proxy. Each integration and day once, however many processes look.

use std::time::Duration;

use keyway_domain::{Actor, AuditEvent, AuditOutcome, Body, Event, Message, MessageId, Timestamp};
use keyway_store::{
    StoreError,
    drift::{self, Days, Drift},
    outbox,
};
use serde_json::json;

use crate::Ctx;

/// Days are looked at from when they are over until this long after: reports come late.
const LOOKED_BACK: Duration = Duration::from_secs(5 * DAY_SECONDS);
const DAY_SECONDS: u64 = 86_400;
const SLICE: u64 = 500;

/// Looks at the last days once.
///
/// # Errors
/// The database is away: the next look finds the same.
pub(crate) async fn look(ctx: &Ctx, now: Timestamp) -> Result<(), StoreError> {
    let yesterday = now.before(Duration::from_secs(DAY_SECONDS));
    let days = Days { from: now.before(LOOKED_BACK).day(), to: yesterday.day() };
    let mut after: Option<Drift> = None;
    loop {
        let tx = ctx.store.system().await?;
        let lines = drift::untold(&tx, &days, after.as_ref(), SLICE).await?;
        let mut messages = Vec::new();
        for line in lines.iter().filter(|line| line.is_outside(ctx.settings.drift_percent)) {
            if drift::tell(&tx, line, now).await? {
                messages.push(used_outside(line, now));
            }
        }
        outbox::insert(&tx, &messages, Timestamp::now()).await?;
        tx.commit().await?;
        match lines.into_iter().next_back() {
            Some(last) if after.as_ref() != Some(&last) => after = Some(last),
            _ => return Ok(()),
        }
    }
}

fn used_outside(line: &Drift, now: Timestamp) -> Message {
    let event = Event::Audited(AuditEvent {
        action: "integration.used_outside".to_owned(),
        actor: Actor::System { part: "drift".to_owned() },
        target: line.integration_id.to_string(),
        outcome: AuditOutcome::Success,
        occurred_at: now,
        request_id: None,
        changes: json!({
            "day": line.day, "reported_requests": line.reported_requests, "reported_tokens": line.reported_tokens,
            "metered_requests": line.metered_requests, "metered_tokens": line.metered_tokens,
        }),
    });
    Message::new(MessageId::new(), line.tenant_id, Body::Event(event))
}
