//! Schedules fire on every worker, and yet once.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use keyway_domain::{IntegrationId, MeteredCall, OperationKind, OperationState, Timestamp, TokenCounts};
use keyway_store::{
    Page, expiry, integrations,
    operations::{self, OperationRow, Origin},
    usage::{self, MeteredRow},
};

use crate::{
    metering::call,
    observe::until,
    seed::Tenant,
    world::{World, in_both},
};

in_both! {
    two_worker_sets_fire_a_usage_round_once
    a_round_that_still_runs_is_not_doubled_by_the_next
    a_key_that_is_due_is_verified_once
    an_expiry_is_announced_once_at_each_of_its_days
    old_calls_go_and_the_sums_of_their_days_stay
}

async fn an_expiry_is_announced_once_at_each_of_its_days(world: &mut World) -> Result<()> {
    let expiring = world.place(world.tenant, "sk-sim-good-expiring").await?;
    let lasting = world.place(world.tenant, "sk-sim-good-lasting").await?;
    let expires_at = Timestamp::now().before(Duration::from_secs(3600));
    world
        .execute(&format!("UPDATE integrations SET expires_at_ms = {} WHERE name LIKE '%expiring'", expires_at.ms()))
        .await?;
    for (days_before, expected) in [(31.0, None), (29.0, Some(30)), (20.0, None), (6.5, Some(7)), (0.9, Some(1))] {
        let now = expires_at.before(Duration::from_secs_f64(days_before * 86_400.0));
        for expected in [expected, None] {
            let tx = world.store.system().await?;
            let due = expiry::warnings_due(&tx, now, 10).await?;
            tx.commit().await?;
            ensure!(due.iter().all(|warning| warning.integration_id == expiring.id), "{due:?}");
            ensure!(due.first().map(|warning| warning.days) == expected, "{days_before} days before: {due:?}");
        }
    }
    world.start()?;
    let said = async || Ok(world.audited(&expiring, "integration.expired").await?.len() == 1);
    until("the expiry is in the audit log", said).await?;
    world.settle().await?;
    let records = world.audited(&expiring, "integration.expired").await?;
    ensure!(records.len() == 1 && records[0].event.changes["days"] == 0, "{records:?}");
    ensure!(world.audited(&lasting, "integration.expired").await?.is_empty());
    Ok(())
}

async fn scheduled(world: &World, tenant: Tenant, kind: OperationKind) -> Result<Vec<OperationRow>> {
    let tx = world.store.tenant_read(tenant.id).await?;
    let filter = operations::Filter { kind: Some(kind), ..operations::Filter::default() };
    let mut found = operations::list(&tx, &filter, Page::first(100)).await?.items;
    found.retain(|operation| operation.origin == Origin::Schedule);
    Ok(found)
}

/// Rounds that were missed while nobody ran are one round.
async fn two_worker_sets_fire_a_usage_round_once(world: &mut World) -> Result<()> {
    let second = Tenant::add(&world.store, "second").await?;
    let idle = Tenant::add(&world.store, "idle").await?;
    world.place(world.tenant, "sk-sim-good-1").await?;
    world.place(second, "sk-sim-good-2").await?;
    world.execute("UPDATE schedule_fires SET fire_at_ms = 0").await?;
    world.start()?;
    world.start()?;
    for tenant in [world.tenant, second] {
        let ended = async || {
            // The fetches of a round are spread over a part of the interval, here months.
            world.execute("UPDATE outbox SET available_at_ms = 0").await?;
            let plans = scheduled(world, tenant, OperationKind::PlanUsage).await?;
            Ok(plans.iter().any(|plan| plan.state == OperationState::Succeeded))
        };
        until("the round has ended", ended).await?;
    }
    world.settle().await?;
    for (tenant, rounds) in [(world.tenant, 1), (second, 1), (idle, 0)] {
        let plans = scheduled(world, tenant, OperationKind::PlanUsage).await?;
        ensure!(plans.len() == rounds, "{plans:?}");
    }
    let fires =
        world.number("SELECT count(*) AS n FROM schedule_fires WHERE schedule = 'usage' AND fire_at_ms > 0").await?;
    ensure!(fires == 1, "{fires} fires for one round");
    Ok(())
}

/// Fetches of a round are spread over a part of the interval, here months: they still run when the next one comes.
async fn a_round_that_still_runs_is_not_doubled_by_the_next(world: &mut World) -> Result<()> {
    world.place(world.tenant, "sk-sim-good-1").await?;
    world.place(world.tenant, "sk-sim-good-2").await?;
    let again = "DELETE FROM schedule_fires WHERE schedule = 'usage'";
    world.execute(again).await?;
    world.start()?;
    planned(world, &[2]).await?;
    world.stop().await?;
    let third = world.place(world.tenant, "sk-sim-good-3").await?;
    world.execute(again).await?;
    world.start()?;
    // Newest first; only the key that is not fetched yet is new.
    planned(world, &[1, 2]).await?;
    let fetches = scheduled_fetches(world, third.id).await?;
    ensure!(fetches == 1, "{fetches}");
    let ended = async || {
        world.execute("UPDATE outbox SET available_at_ms = 0").await?;
        let plans = scheduled(world, world.tenant, OperationKind::PlanUsage).await?;
        Ok(plans.iter().all(|plan| plan.state == OperationState::Succeeded))
    };
    until("both rounds have ended", ended).await?;
    world.settle().await
}

/// Waits until the rounds, newest first, have so many fetches.
async fn planned(world: &World, fetches: &[i64]) -> Result<()> {
    let mut totals = Vec::new();
    let are_planned = async || {
        let plans = scheduled(world, world.tenant, OperationKind::PlanUsage).await?;
        totals = plans.iter().filter_map(|plan| plan.progress.as_ref().map(|it| it.total)).collect();
        let written = "SELECT count(*) AS n FROM operations WHERE kind = 'plan_usage' AND planned_at_ms IS NOT NULL";
        let written = usize::try_from(world.number(written).await?)?;
        Ok(totals == fetches && written == fetches.len())
    };
    until("the rounds are planned", are_planned).await.with_context(|| format!("{totals:?} instead of {fetches:?}"))
}

async fn scheduled_fetches(world: &World, id: IntegrationId) -> Result<usize> {
    let tx = world.store.tenant_read(world.tenant.id).await?;
    let filter = operations::Filter { integration_id: Some(id), ..operations::Filter::default() };
    let found = operations::list(&tx, &filter, Page::first(100)).await?.items;
    Ok(found.iter().filter(|operation| operation.kind == OperationKind::FetchUsage).count())
}

async fn a_key_that_is_due_is_verified_once(world: &mut World) -> Result<()> {
    let due = world.place(world.tenant, "sk-sim-good-due").await?;
    let later = world.place(world.tenant, "sk-sim-good-later").await?;
    let off = world.place(world.tenant, "sk-sim-good-off").await?;
    let (now, hour) = (Timestamp::now(), Duration::from_secs(3600));
    let tx = world.store.tenant(world.tenant.id).await?;
    integrations::set_enabled(&tx, off.id, false, None, now).await?;
    tx.commit().await?;
    let tx = world.store.system().await?;
    let checks = [(due.id, now.before(hour)), (off.id, now.before(hour)), (later.id, now.after(hour))];
    integrations::set_next_check(&tx, &checks).await?;
    tx.commit().await?;
    world.start()?;
    // Embedded, one process has the bus alone: another one's start would give back what the first has in hand.
    if !world.settings.embedded {
        world.start()?;
    }
    let verified = async || {
        let checks = scheduled(world, world.tenant, OperationKind::VerifyKey).await?;
        Ok(checks.iter().any(|check| check.state == OperationState::Succeeded))
    };
    until("the key is verified", verified).await?;
    world.settle().await?;
    let checks = scheduled(world, world.tenant, OperationKind::VerifyKey).await?;
    ensure!(checks.len() == 1 && checks.iter().all(|check| check.integration_id == Some(due.id)), "{checks:?}");
    ensure!((world.probes(&due), world.probes(&later), world.probes(&off)) == (1, 0, 0));
    let next = world.integration(&due).await?.next_check_at;
    let day = world.settings.verify_interval;
    ensure!(next.is_some_and(|next| next > now.after(day / 2) && next < now.after(2 * day)), "{next:?}");
    Ok(())
}

async fn old_calls_go_and_the_sums_of_their_days_stay(world: &mut World) -> Result<()> {
    let (kept, day) = (world.settings.ledger_retention, Duration::from_secs(86_400));
    let rows = [kept - day, kept + day].map(|age| {
        let recent = call(world, "gpt-4o-mini", TokenCounts::default());
        let call = MeteredCall { started_at: Timestamp::now().before(age), ..recent };
        MeteredRow { call, cost_nano_usd: None, price_version: None }
    });
    let tx = world.store.system().await?;
    usage::append_metered(&tx, world.tenant.id, rows.to_vec()).await?;
    tx.commit().await?;
    // The last round was days ago: the clock may be wrong, so the first round deletes nothing, and the next one does.
    let leap = Timestamp::now().before(3 * day).ms();
    let row =
        format!("INSERT INTO schedule_fires (schedule, fire_at_ms, created_at_ms) VALUES ('retention', {leap}, 0)");
    world.execute(&row).await?;
    world.start()?;
    let left = "SELECT count(*) AS n FROM metered_calls";
    let since = format!("schedule = 'retention' AND fire_at_ms > {leap}");
    let fired = format!("SELECT count(*) AS n FROM schedule_fires WHERE {since}");
    until("a round is fired", async || Ok(world.number(&fired).await? == 1)).await?;
    world.settle().await?;
    ensure!(world.number(left).await? == 2, "a clock that leapt was believed at once");
    world.execute(&format!("UPDATE schedule_fires SET fire_at_ms = fire_at_ms - 3600000 WHERE {since}")).await?;
    world.start()?;
    until("the older call is gone", async || Ok(world.number(left).await? < 2)).await?;
    world.settle().await?;
    ensure!(world.number(left).await? == 1);
    ensure!(world.number("SELECT CAST(sum(requests) AS BIGINT) AS n FROM usage_daily").await? == 2);
    Ok(())
}
