//! Tells owners that a secret expires, or has expired: each warning once, across all processes.

use keyway_domain::{AuditEvent, Body, Event, Message, MessageId, Timestamp};
use keyway_store::{
    StoreError,
    expiry::{self, Warning},
    outbox,
};
use serde_json::json;

use crate::Ctx;

const SLICE: u64 = 500;

/// Gives every warning that is due.
///
/// # Errors
/// The database is away: the next look finds the same.
pub(crate) async fn warn(ctx: &Ctx, now: Timestamp) -> Result<(), StoreError> {
    loop {
        let tx = ctx.store.system().await?;
        let due = expiry::warnings_due(&tx, now, SLICE).await?;
        let messages: Vec<_> = due.iter().map(|warning| expires_soon(warning, now)).collect();
        outbox::insert(&tx, &messages, Timestamp::now()).await?;
        tx.commit().await?;
        if (due.len() as u64) < SLICE {
            return Ok(());
        }
    }
}

fn expires_soon(warning: &Warning, now: Timestamp) -> Message {
    let action = if warning.days == 0 { "integration.expired" } else { "integration.expires_soon" };
    let changes = json!({ "expires_at": warning.expires_at, "days": warning.days });
    let event = AuditEvent::by_system("expiry", action, warning.integration_id, now, changes);
    Message::new(MessageId::new(), warning.tenant_id, Body::Event(Event::Audited(event)))
}
