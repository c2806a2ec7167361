//! Publishes documents whose time has come, each once among all workers.

use keyway_domain::{AuditEvent, Body, Event, Invalidation, Message, MessageId, Timestamp};
use keyway_store::{StoreError, documents, outbox};
use serde_json::json;

use super::round::{Round, SLICE};
use crate::Ctx;

/// Publishes what is due.
///
/// # Errors
/// The database is away: the next look finds the same.
pub(super) async fn run(ctx: &Ctx, Round { now, .. }: Round) -> Result<(), StoreError> {
    // A look for each second, which takes no lock.
    while documents::is_due(&ctx.store.system_read().await?, now).await? {
        let tx = ctx.store.system().await?;
        let due = documents::publish_due(&tx, now, SLICE).await?;
        let messages: Vec<_> = due
            .iter()
            .flat_map(|one| {
                let changes = json!({ "version": one.version });
                let audited = AuditEvent::by_system("publications", "document.published", one.id, now, changes);
                [Event::Audited(audited), Event::Invalidated(Invalidation::Published)]
                    .map(|event| Message::new(MessageId::new(), one.tenant_id, Body::Event(event)))
            })
            .collect();
        outbox::insert(&tx, &messages, Timestamp::now()).await?;
        tx.commit().await?;
        if due.is_empty() {
            // Another worker is at it.
            break;
        }
    }
    Ok(())
}
