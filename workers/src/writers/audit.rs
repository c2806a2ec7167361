//! The audit writer (lane `audit`): appends audit events, once each by event id, many per transaction.

use std::sync::Arc;

use keyway_bus::Bus;
use keyway_domain::{AuditEvent, Body, Event, Message};
use keyway_store::{
    Store,
    audit::{self, AuditRecord},
    outbox,
};
use keyway_telemetry::failpoint;

use crate::{Ctx, HandlerError, group::Group, noticed, patience};

/// Largest number of events in one transaction.
const GROUP: usize = 128;

/// Starts the group that commits audit events.
pub(crate) fn start(store: Store, bus: Arc<dyn Bus>) -> Group<AuditRecord> {
    Group::start("audit", GROUP, move |events: Arc<Vec<AuditRecord>>| {
        let (store, bus) = (store.clone(), Arc::clone(&bus));
        async move {
            let tx = store.system().await?;
            audit::append(&tx, &events).await?;
            outbox::delete(&tx, &events.iter().map(|record| record.event_id).collect::<Vec<_>>()).await?;
            failpoint("audit.before_commit");
            tx.commit().await?;
            failpoint("audit.after_commit");
            bus.notify(noticed::of_audit(&events));
            Ok(())
        }
    })
}

/// Appends one event; returns when it is durable.
pub(crate) async fn run(message: &Message, ctx: &Ctx) -> Result<(), HandlerError> {
    let Body::Event(Event::Audited(event)) = &message.body else {
        return Err(HandlerError::Defect(format!("{} is not an audit event", message.kind())));
    };
    let record =
        |event: &AuditEvent| AuditRecord { event_id: message.id, tenant_id: message.tenant_id, event: event.clone() };
    patience::until_well("audit", || ctx.audit.write(record(event))).await
}
