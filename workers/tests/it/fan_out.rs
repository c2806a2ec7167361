//! Plans: one fetch per active integration, progress, and an end however the children end.

use anyhow::{Context as _, Result, ensure};
use keyway_domain::{Code, Command, Event, Message, OperationState, Timestamp, UsageWindow};
use keyway_store::integrations;

use crate::{
    observe::until,
    seed::{Submitted, Tenant},
    world::{World, in_both},
};

const COMPLETIONS: &str = "/v1/organization/usage/completions";
const EMBEDDINGS: &str = "/v1/organization/usage/embeddings";
const COSTS: &str = "/v1/organization/costs";

in_both! {
    a_plan_fetches_every_active_key_once
    a_plan_without_keys_succeeds_at_once
    only_a_plan_that_was_asked_for_asks_again_in_vain
    invariant_3_planning_delivered_twice_doubles_nothing
    the_last_two_children_end_their_parent_in_two_processes
    a_plan_called_off_writes_no_children
}

/// Two whole days: two pages of hours, one of days.
pub(crate) fn two_days() -> UsageWindow {
    let day = |text| Timestamp::parse(text).unwrap_or_default();
    UsageWindow { from: day("2026-11-01T00:00:00Z"), to: day("2026-11-03T00:00:00Z") }
}

fn plan() -> Command {
    Command::PlanUsage { window: two_days(), spread_ms: 0, recheck: true, provider: None }
}

async fn place_all(world: &World, keys: &[&str]) -> Result<Vec<Submitted>> {
    let mut all = Vec::new();
    for key in keys {
        all.push(world.place(world.tenant, key).await?);
    }
    Ok(all)
}

async fn a_plan_fetches_every_active_key_once(world: &mut World) -> Result<()> {
    let keys = ["sk-admin-sim-a", "sk-admin-sim-b", "sk-admin-sim-revoked-c", "sk-sim-good-d", "sk-sim-good-e"];
    let all = place_all(world, &keys).await?;
    let off = world.place(world.tenant, "sk-admin-sim-off").await?;
    let tx = world.store.tenant(world.tenant.id).await?;
    integrations::set_enabled(&tx, off.id, false, None, Timestamp::now()).await?;
    tx.commit().await?;
    world.start()?;
    let message = world.command(world.tenant, plan()).await?;
    let operation = world.ended(&message).await?;
    ensure!(operation.state == OperationState::Succeeded, "{operation:?}");
    let progress = operation.progress.as_ref().context("a plan shows progress")?;
    ensure!((progress.total, progress.done, progress.failed) == (5, 4, 1), "{progress:?}");
    let children = world.children(&message).await?;
    for submitted in &all {
        let own: Vec<_> = children.iter().filter(|child| child.integration_id == Some(submitted.id)).collect();
        let [child] = own[..] else { anyhow::bail!("{}: {own:?}", submitted.key) };
        let refused = submitted.key.contains("revoked");
        ensure!(child.error == refused.then_some(Code::Refused), "{child:?}");
        ensure!((child.state == OperationState::Failed) == refused, "{child:?}");
        let fetched = submitted.key.starts_with("sk-admin") && !refused;
        let calls = [COMPLETIONS, EMBEDDINGS, COSTS].map(|path| world.simulator.calls(&submitted.key, path));
        ensure!(!fetched || calls == [2, 2, 1], "{}: {calls:?}", submitted.key);
    }
    let rows = world.number("SELECT count(DISTINCT integration_id) AS n FROM reported_usage").await?;
    ensure!(rows == 2, "{rows} integrations have reported usage");
    Ok(())
}

async fn a_plan_without_keys_succeeds_at_once(world: &mut World) -> Result<()> {
    world.start()?;
    let message = world.command(world.tenant, plan()).await?;
    let operation = world.ended(&message).await?;
    let progress = operation.progress.as_ref().context("a plan shows progress")?;
    ensure!(operation.state == OperationState::Succeeded && progress.total == 0, "{operation:?}");
    Ok(())
}

async fn only_a_plan_that_was_asked_for_asks_again_in_vain(world: &mut World) -> Result<()> {
    place_all(world, &["sk-admin-sim-a", "sk-sim-good-b"]).await?;
    world.start()?;
    // The first round finds out that one of the two keys cannot report.
    for (recheck, total) in [(false, 2), (false, 1), (true, 2)] {
        let plan = Command::PlanUsage { window: two_days(), spread_ms: 0, recheck, provider: None };
        let operation = world.ended(&world.command(world.tenant, plan).await?).await?;
        let progress = operation.progress.as_ref().context("a plan shows progress")?;
        ensure!(progress.total == total && progress.done == total, "recheck {recheck}: {progress:?}");
    }
    Ok(())
}

async fn invariant_3_planning_delivered_twice_doubles_nothing(world: &mut World) -> Result<()> {
    let all = place_all(world, &["sk-admin-sim-a", "sk-admin-sim-b", "sk-admin-sim-c"]).await?;
    world.start()?;
    let message = world.open(world.tenant, plan(), None).await?;
    world.publish(&[message.clone(), message.clone()]).await?;
    world.ended(&message).await?;
    world.publish(std::slice::from_ref(&message)).await?;
    // Another plan of the tenant, which has one more key, shows when the lane has moved on.
    let late = world.place(world.tenant, "sk-sim-good-late").await?;
    let other = world.command(world.tenant, plan()).await?;
    world.ended(&other).await?;
    world.settle().await?;
    let operation = world.operation(&message).await?;
    ensure!(operation.state == OperationState::Succeeded, "{operation:?}");
    let children = world.children(&message).await?;
    let planned = children.iter().filter(|child| child.integration_id != Some(late.id)).count();
    ensure!(planned == 3 && children.iter().all(|child| child.state == OperationState::Succeeded), "{children:?}");
    for submitted in &all {
        let calls = [COMPLETIONS, EMBEDDINGS, COSTS].map(|path| world.simulator.calls(&submitted.key, path));
        ensure!(calls == [4, 4, 2], "{} was fetched more than once for each plan: {calls:?}", submitted.key);
    }
    // Two models an hour, one embedding model an hour, two lines of the bill a day.
    let rows = world.number("SELECT count(*) AS n FROM reported_usage").await?;
    ensure!(rows == 3 * (2 * 48 + 48 + 2 * 2), "{rows} rows");
    Ok(())
}

async fn the_last_two_children_end_their_parent_in_two_processes(world: &mut World) -> Result<()> {
    world.start()?;
    world.start()?;
    let submitted = world.place(world.tenant, "sk-sim-good-1").await?;
    let (mut plans, mut lasts) = (Vec::new(), Vec::new());
    for _ in 0..25 {
        let parent = world.open(world.tenant, plan(), None).await?;
        let observed_at = Timestamp::now();
        for _ in 0..2 {
            let fetch = Command::FetchUsage { integration_id: submitted.id, window: two_days(), resume: None };
            let child = world.open(world.tenant, fetch, parent.operation_id).await?;
            lasts.push(child.event(Event::OperationSucceeded { observed_at }));
        }
        lasts.push(parent.event(Event::UsagePlanned { total: 2, observed_at }));
        plans.push(parent);
    }
    world.publish(&lasts).await?;
    for parent in &plans {
        let operation = world.ended(parent).await?;
        let progress = operation.progress.as_ref().context("a plan shows progress")?;
        ensure!(operation.state == OperationState::Succeeded, "{operation:?}");
        ensure!((progress.total, progress.done) == (2, 2), "{progress:?}");
    }
    Ok(())
}

async fn a_plan_called_off_writes_no_children(world: &mut World) -> Result<()> {
    let tenant = Tenant::add(&world.store, "second").await?;
    let submitted = world.place(tenant, "sk-admin-sim-a").await?;
    let message: Message = world.open(tenant, plan(), None).await?;
    let tx = world.store.tenant(tenant.id).await?;
    let id = message.operation_id.context("an operation")?;
    ensure!(keyway_store::operations::cancel(&tx, id, Timestamp::now()).await?);
    tx.commit().await?;
    world.start()?;
    world.publish(std::slice::from_ref(&message)).await?;
    let other = world.command(tenant, plan()).await?;
    world.ended(&other).await?;
    world.settle().await?;
    ensure!(world.operation(&message).await?.state == OperationState::Cancelled);
    ensure!(world.children(&message).await?.is_empty(), "a plan that was called off went on");
    until("only the other plan fetched", async || Ok(world.simulator.calls(&submitted.key, COSTS) == 1)).await
}
