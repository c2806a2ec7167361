//! Tells owners of keys that were used outside Keyway, when their provider reports more usage for a day than went
//! through the proxy. Each integration and day once, across all processes.

use std::time::Duration;

use keyway_domain::{AuditEvent, Body, Event, Message, MessageId, TenantId, Timestamp};
use keyway_store::{
    StoreError,
    drift::{self, Days, Drift},
    outbox,
};
use serde_json::json;

use crate::Ctx;

/// Age up to which a day that is over is checked: reports come late.
const LOOKED_BACK: Duration = Duration::from_secs(5 * DAY_SECONDS);
const DAY_SECONDS: u64 = 86_400;
const SLICE: u64 = 500;

/// Checks the latest days once.
///
/// # Errors
/// The database is away: the next look finds the same.
pub(crate) async fn look(ctx: &Ctx, now: Timestamp) -> Result<(), StoreError> {
    let yesterday = now.before(Duration::from_secs(DAY_SECONDS));
    let days = Days { from: now.before(LOOKED_BACK).day(), to: yesterday.day() };
    let mut after = None;
    loop {
        let tx = ctx.store.system_read().await?;
        let tenants = drift::tenants(&tx, &days, after, SLICE).await?;
        drop(tx);
        let Some(last) = tenants.last() else { return Ok(()) };
        after = Some(*last);
        for tenant_id in tenants {
            match tell(ctx, tenant_id, &days, now).await {
                // An integration that is deleted meanwhile takes its tenant's turn: the next look comes.
                Ok(()) | Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Notes and audits one tenant's drift, in one transaction.
async fn tell(ctx: &Ctx, tenant_id: TenantId, days: &Days, now: Timestamp) -> Result<(), StoreError> {
    let tx = ctx.store.system().await?;
    let mut messages = Vec::new();
    for line in drift::untold(&tx, tenant_id, days).await? {
        if line.is_outside(ctx.settings.drift_percent) && drift::tell(&tx, &line, now).await? {
            messages.push(used_outside(&line, now));
        }
    }
    outbox::insert(&tx, &messages, Timestamp::now()).await?;
    tx.commit().await
}

fn used_outside(line: &Drift, now: Timestamp) -> Message {
    let changes = json!({
        "day": line.day, "reported_requests": line.reported_requests, "reported_tokens": line.reported_tokens,
        "metered_requests": line.metered_requests, "metered_tokens": line.metered_tokens,
    });
    let event = AuditEvent::by_system("drift", "integration.used_outside", line.integration_id, now, changes);
    Message::new(MessageId::new(), line.tenant_id, Body::Event(Event::Audited(event)))
}
