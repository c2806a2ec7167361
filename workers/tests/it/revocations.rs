//! A revocation ends with the last replica's acknowledgement, waits for none that is gone, and fails if a live one
//! stays silent.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use keyway_bus::{InvalidationSignal, Revocation};
use keyway_domain::{
    Body, Code, Command, Event, Invalidation, Message, MessageId, OperationId, OperationState, ReplicaId, Timestamp,
};
use keyway_store::{
    operations::{self, NewOperation, OperationRow, Origin},
    replicas,
};

use crate::{
    observe::until,
    world::{World, in_both},
};

in_both! {
    a_replica_that_is_there_and_silent_fails_it
    a_replica_that_is_gone_is_noticed_and_not_waited_for
}

async fn beat(world: &World, replicas: &[ReplicaId]) -> Result<()> {
    let tx = world.store.system().await?;
    for id in replicas {
        replicas::beat(&tx, *id).await?;
    }
    Ok(tx.commit().await?)
}

async fn revoke(world: &World, at: Timestamp) -> Result<OperationId> {
    let tenant_id = world.tenant.id;
    let command = Command::Revoke { what: Invalidation::Integrations };
    let new = NewOperation::of(tenant_id, Origin::Request, command, at);
    let id = new.id;
    let tx = world.store.tenant(tenant_id).await?;
    operations::insert(&tx, new, at).await?;
    tx.commit().await?;
    Ok(id)
}

async fn shown(world: &World, id: OperationId) -> Result<OperationRow> {
    let tx = world.store.tenant_read(world.tenant.id).await?;
    operations::find(&tx, id).await?.context("the operation")
}

fn said(world: &World, id: OperationId, event: Event) -> Message {
    let message = Message::new(MessageId::new(), world.tenant.id, Body::Event(event));
    Message { operation_id: Some(id), ..message }
}

fn forgotten(world: &World, id: OperationId, replica_id: ReplicaId) -> Message {
    said(world, id, Event::CacheForgotten { replica_id, observed_at: Timestamp::now() })
}

async fn a_replica_that_is_there_and_silent_fails_it(world: &mut World) -> Result<()> {
    let [first, silent] = [ReplicaId::new(), ReplicaId::new()];
    beat(world, &[first, silent]).await?;
    world.start()?;
    let id = revoke(world, Timestamp::now()).await?;
    let word = forgotten(world, id, first);
    world.publish(&[word.clone(), word]).await?;
    let done = async || Ok(shown(world, id).await?.progress.is_some_and(|progress| progress.done == 1));
    until("the first has acknowledged", done).await?;
    let row = shown(world, id).await?;
    let progress = row.progress.context("it shows its progress")?;
    ensure!(row.state == OperationState::Queued && progress.unanswered == [silent] && progress.total == 2);

    let overdue = Event::RevocationDue { overdue: true, observed_at: Timestamp::now() };
    world.publish(&[said(world, id, overdue)]).await?;
    until("it fails", async || Ok(shown(world, id).await?.state == OperationState::Failed)).await?;
    let row = shown(world, id).await?;
    ensure!(row.error == Some(Code::ReplicaSilent), "{row:?}");
    ensure!(row.progress.as_ref().is_some_and(|progress| progress.failed == 1), "{row:?}");

    // Its word comes after all: that is kept, and changes nothing that has ended.
    world.publish(&[forgotten(world, id, silent)]).await?;
    let both = async || Ok(shown(world, id).await?.progress.is_some_and(|progress| progress.done == 2));
    until("its late word is kept", both).await?;
    ensure!(shown(world, id).await?.state == OperationState::Failed);
    tried_again_everybody_is_told_again(world, id, first).await
}

async fn tried_again_everybody_is_told_again(world: &mut World, id: OperationId, replica: ReplicaId) -> Result<()> {
    let (tenant_id, what) = (world.tenant.id, Invalidation::Integrations);
    let command = Command::Revoke { what };
    let tx = world.store.tenant(tenant_id).await?;
    operations::retry(&tx, id, 1, &command, Timestamp::now()).await?.context("it cannot be tried again")?;
    tx.commit().await?;
    let mut signals = world.bus().invalidations();
    let attempt = Message { id: MessageId::of_attempt(id, 2), attempt: 2, ..Message::command(tenant_id, id, command) };
    let expected = InvalidationSignal::Changed(tenant_id, what, Some(Revocation { operation_id: id, attempt: 2 }));
    until("every replica is told again", async || {
        world.publish(std::slice::from_ref(&attempt)).await?;
        while let Ok(signal) = tokio::time::timeout(Duration::from_millis(500), signals.next()).await {
            if signal.context("the bus is gone")? == expected {
                return Ok(true);
            }
        }
        Ok(false)
    })
    .await?;
    let word = Message { attempt: 2, ..forgotten(world, id, replica) };
    world.publish(&[word]).await?;
    until("it succeeds", async || Ok(shown(world, id).await?.state == OperationState::Succeeded)).await
}

async fn a_replica_that_is_gone_is_noticed_and_not_waited_for(world: &mut World) -> Result<()> {
    let [there, gone] = [ReplicaId::new(), ReplicaId::new()];
    beat(world, &[there, gone]).await?;
    let id = revoke(world, Timestamp::now().before(Duration::from_secs(10))).await?;
    world.start()?;
    world.publish(&[forgotten(world, id, there)]).await?;
    let waits = async || Ok(shown(world, id).await?.progress.is_some_and(|progress| progress.done == 1));
    until("the first has acknowledged", waits).await?;
    ensure!(shown(world, id).await?.state == OperationState::Queued);
    world.execute("UPDATE replicas SET seen_at_ms = seen_at_ms - 75000").await?;
    beat(world, &[there]).await?;
    until("a schedule notices", async || Ok(shown(world, id).await?.state == OperationState::Succeeded)).await?;
    let progress = shown(world, id).await?.progress.context("it shows its progress")?;
    ensure!((progress.total, progress.done, progress.failed) == (2, 1, 1) && progress.unanswered == [gone]);
    Ok(())
}
