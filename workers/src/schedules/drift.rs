//! Tells owners of keys that were used outside Keyway, when their provider reports more usage for a day than went
//! through the proxy. Each integration and day once, across all processes.

use std::time::Duration;

use keyway_domain::{AuditEvent, Body, Event, MailContent, Message, MessageId, TenantId, Timestamp, UsedOutsideMail};
use keyway_store::{
    StoreError,
    drift::{self, Days, Drift, LineKey},
    mails::Subject,
    outbox,
};
use serde_json::json;

use super::{
    fire::fire_alone,
    round::{Round, SLICE},
};
use crate::{
    Ctx,
    notices::{self, About},
};

/// Its name in the table.
pub(super) const NAME: &str = "drift";

/// Age up to which a day that is over is checked: reports come late.
const LOOKED_BACK: Duration = Duration::from_secs(5 * DAY_SECONDS);
const DAY_SECONDS: u64 = 86_400;

/// Checks the latest days once.
///
/// # Errors
/// The database is away: the next look finds the same.
pub(super) async fn run(ctx: &Ctx, Round { at, now }: Round) -> Result<(), StoreError> {
    if !fire_alone(ctx, NAME, Round { at, now }).await? {
        return Ok(());
    }
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

/// Notes and audits one tenant's drift, each page of it in one transaction.
async fn tell(ctx: &Ctx, tenant_id: TenantId, days: &Days, now: Timestamp) -> Result<(), StoreError> {
    let mut after: Option<LineKey> = None;
    loop {
        let tx = ctx.store.system().await?;
        let mut messages = Vec::new();
        let lines = drift::untold(&tx, tenant_id, days, after.as_ref(), SLICE).await?;
        for line in &lines {
            if line.is_outside(ctx.settings.drift_percent) && drift::tell(&tx, line, now).await? {
                messages.push(used_outside(line, now));
                let about = About { tenant_id, integration_id: line.integration_id };
                let content = |subject: &Subject| mail(line, subject);
                messages.extend(notices::write(&tx, &ctx.outgoing, about, content, now).await?);
            }
        }
        outbox::insert(&tx, &messages, Timestamp::now()).await?;
        tx.commit().await?;
        match lines.last().filter(|_| lines.len() as u64 == SLICE) {
            Some(last) => after = Some(LineKey { day: last.day.clone(), integration_id: last.integration_id }),
            None => return Ok(()),
        }
    }
}

fn used_outside(line: &Drift, now: Timestamp) -> Message {
    let changes = json!({
        "day": line.day, "reported_requests": line.reported_requests, "reported_tokens": line.reported_tokens,
        "metered_requests": line.metered_requests, "metered_tokens": line.metered_tokens,
    });
    let event = AuditEvent::by_system("drift", "integration.used_outside", line.integration_id, now, changes);
    Message::new(MessageId::new(), line.tenant_id, Body::Event(Event::Audited(event)))
}

fn mail(line: &Drift, subject: &Subject) -> MailContent {
    MailContent::UsedOutside(UsedOutsideMail {
        tenant: subject.tenant.clone(),
        integration: subject.integration.clone(),
        provider: subject.provider.clone(),
        day: line.day.clone(),
        reported_tokens: line.reported_tokens,
        metered_tokens: line.metered_tokens,
    })
}
