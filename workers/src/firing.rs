//! Firing: what each schedule does once for its time, in one transaction with the operations that it starts.

use keyway_domain::{Command, Message, OperationId, TenantId, Timestamp};
use keyway_store::{
    StoreError, SystemTx,
    operations::{self, NewOperation, Origin},
    outbox, schedules,
};
use keyway_telemetry::metrics;

/// Fires a schedule; false where another worker has done so already.
pub(crate) async fn fire(
    tx: &SystemTx,
    schedule: &'static str,
    fire_at: Timestamp,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let first = schedules::fire(tx, schedule, fire_at, now).await?;
    if first {
        metrics().schedule_fires.with_label_values(&[schedule]).inc();
    }
    Ok(first)
}

/// Writes an operation and its first message for each command; returns the operations' ids.
pub(crate) async fn start(
    tx: &SystemTx,
    commands: impl Iterator<Item = (TenantId, Command)>,
    now: Timestamp,
) -> Result<Vec<OperationId>, StoreError> {
    let (mut started, mut messages) = (Vec::new(), Vec::new());
    for (tenant_id, command) in commands {
        let id = OperationId::new();
        messages.push(Message::command(tenant_id, id, command.clone()));
        let origin = Origin::Schedule;
        started.push(NewOperation { id, tenant_id, parent_id: None, origin, total: None, due_at: now, command });
    }
    operations::insert_children(tx, &started, now).await?;
    outbox::insert(tx, &messages, Timestamp::now()).await?;
    Ok(started.iter().map(|operation| operation.id).collect())
}
