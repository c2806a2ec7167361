//! Tells owners that a secret expires, or has expired: each warning once, across all processes.

use keyway_domain::{AuditEvent, Body, Event, KeyExpiringMail, MailContent, Message, MessageId, Timestamp};
use keyway_store::{
    StoreError,
    expiry::{self, Warning},
    mails::Subject,
    outbox,
};
use serde_json::json;

use super::round::{Round, SLICE};
use crate::{
    Ctx,
    notices::{self, About},
};

/// Gives every warning that is due.
///
/// # Errors
/// The database is away: the next look finds the same.
pub(super) async fn run(ctx: &Ctx, Round { now, .. }: Round) -> Result<(), StoreError> {
    loop {
        let tx = ctx.store.system().await?;
        let due = expiry::warnings_due(&tx, now, SLICE).await?;
        let mut messages: Vec<_> = due.iter().map(|warning| expires_soon(warning, now)).collect();
        for warning in &due {
            let about = About { tenant_id: warning.tenant_id, integration_id: warning.integration_id };
            let content = |subject: &Subject| mail(warning, subject);
            messages.extend(notices::write(&tx, &ctx.outgoing, about, content, now).await?);
        }
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

fn mail(warning: &Warning, subject: &Subject) -> MailContent {
    MailContent::KeyExpiring(KeyExpiringMail {
        tenant: subject.tenant.clone(),
        integration: subject.integration.clone(),
        provider: subject.provider.clone(),
        days: warning.days,
        expires_at: warning.expires_at,
    })
}
