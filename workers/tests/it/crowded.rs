//! Many jobs of one provider or tenant beside one of another: nobody's crowd holds up anybody else.

use anyhow::{Result, ensure};
use keyway_domain::{Code, Message, OperationState, TenantId, Timestamp};
use keyway_store::{
    operations::{self, NewOperation, Origin},
    outbox,
};

use crate::{
    observe::until,
    seed::{Submitted, Tenant, verify},
    world::{World, in_both},
};

/// More than all places of the lane, several times.
const HANGING: usize = 80;
const HEALTHY: usize = 30;
/// More than the relay leaves waiting in a queue, its batches and what workers hold.
const FLOOD: usize = 2600;

in_both! {
    a_provider_that_hangs_holds_no_others_jobs
    a_provider_that_keeps_failing_is_left_alone
    a_tenant_with_very_many_jobs_does_not_delay_anothers_one
}

async fn a_provider_that_hangs_holds_no_others_jobs(world: &mut World) -> Result<()> {
    let other = Tenant::add(&world.store, "second").await?;
    let hanging = place_many(world, world.tenant, "sk-sim-hang", HANGING).await?;
    let healthy = place_many(world, other, "sk-sim-good", HEALTHY).await?;
    for submitted in hanging.iter().chain(&healthy) {
        world.send(&submitted.message).await?;
    }
    world.start()?;
    for submitted in &healthy {
        let operation = world.ended(&submitted.message).await?;
        ensure!(operation.state == OperationState::Succeeded && operation.attempt == 1, "{operation:?}");
    }
    let called = hanging.iter().filter(|submitted| world.probes(submitted) > 0).count();
    ensure!(called <= HANGING / 2, "{called} jobs of the provider that hangs were taken up first");
    // Those it has no room for wait their turn, which is no attempt.
    let waiting = async || {
        let mut waiting = 0;
        for submitted in &hanging {
            let operation = world.operation(&submitted.message).await?;
            let put_off = operation.error == Some(Code::RateLimited) && operation.attempt == 1;
            waiting += usize::from(put_off && operation.due_at.is_some());
        }
        Ok(waiting > HANGING / 4)
    };
    until("jobs wait for the provider that hangs", waiting).await?;
    call_off(world, world.tenant.id).await
}

async fn a_provider_that_keeps_failing_is_left_alone(world: &mut World) -> Result<()> {
    world.start()?;
    let failing = place_many(world, world.tenant, "sk-sim-500", HANGING).await?;
    for submitted in &failing {
        world.send(&submitted.message).await?;
    }
    for submitted in &failing {
        let put_off = async || Ok(world.operation(&submitted.message).await?.error.is_some());
        until("it is put off", put_off).await?;
        let operation = world.operation(&submitted.message).await?;
        ensure!(operation.error == Some(Code::Unreachable), "{operation:?}");
        ensure!(operation.attempt == 1 || world.probes(submitted) > 0, "an attempt without a call: {operation:?}");
    }
    let called = failing.iter().filter(|submitted| world.probes(submitted) > 0).count();
    ensure!(called < HANGING / 2, "{called} jobs called a provider that kept failing");
    call_off(world, world.tenant.id).await
}

async fn a_tenant_with_very_many_jobs_does_not_delay_anothers_one(world: &mut World) -> Result<()> {
    let other = Tenant::add(&world.store, "second").await?;
    let (many, one) =
        (world.place(world.tenant, "sk-sim-good-many").await?, world.place(other, "sk-sim-good-one").await?);
    flood(world, &many).await?;
    world.start()?;
    let ended = "SELECT count(*) AS n FROM operations WHERE state = 'succeeded'";
    until("the flood is under way", async || Ok(world.number(ended).await? >= 20)).await?;
    world.send(&one.message).await?;
    world.ended(&one.message).await?;
    let left = "SELECT count(*) AS n FROM operations WHERE state IN ('queued', 'running')";
    let left = world.number(left).await?;
    ensure!(left >= 1000, "it waited until only {left} of {FLOOD} earlier jobs were left");
    Ok(())
}

async fn place_many(world: &World, tenant: Tenant, key: &str, count: usize) -> Result<Vec<Submitted>> {
    let mut placed = Vec::with_capacity(count);
    for at in 0..count {
        placed.push(world.place(tenant, &format!("{key}-{at}")).await?);
    }
    Ok(placed)
}

/// Very many verifications of one integration, in one transaction.
async fn flood(world: &World, submitted: &Submitted) -> Result<()> {
    let (now, tenant_id, command) = (Timestamp::now(), submitted.tenant.id, verify(submitted.id, 1));
    let new = |_| NewOperation::of(tenant_id, Origin::Request, command.clone(), now);
    let operations: Vec<_> = (0..FLOOD).map(new).collect();
    let messages: Vec<_> = operations.iter().map(|new| Message::command(tenant_id, new.id, command.clone())).collect();
    let tx = world.store.tenant(tenant_id).await?;
    operations::insert_children(&tx, &operations, now).await?;
    outbox::insert(&tx, &messages, now).await?;
    Ok(tx.commit().await?)
}

/// Ends a tenant's jobs: its integrations are switched off, and what waits for its time is due now.
async fn call_off(world: &mut World, tenant: TenantId) -> Result<()> {
    let tenant = world.uuid(tenant.uuid());
    world.execute(&format!("UPDATE integrations SET status = 'disabled' WHERE tenant_id = {tenant}")).await?;
    until("every job has ended", async || {
        world.execute(&format!("UPDATE outbox SET available_at_ms = 0 WHERE tenant_id = {tenant}")).await?;
        let left = "SELECT count(*) AS n FROM operations WHERE state IN ('queued', 'running')";
        Ok(world.number(left).await? == 0)
    })
    .await
}
