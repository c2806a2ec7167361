//! Usage that an organisation reports by key belongs to the keys' integrations, and usage outside the proxy is told to
//! their owner once.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use keyway_domain::{
    Command, Ledger, MeteredCall, OperationState, RequestId, ServedBy, Timestamp, TokenCounts, UsageWindow,
};
use keyway_store::{
    Page,
    drift::{self, Days, Drift},
    usage::{self, MeteredRow},
    usage_report::{self, GroupBy, MAX_GROUPS, ReportQuery, UsageGroup},
};

use crate::{
    metering::call,
    observe::until,
    seed::Submitted,
    world::{World, in_both},
};

in_both! {
    what_was_not_metered_is_told_once
}

const DAY: Duration = Duration::from_secs(86_400);

async fn what_was_not_metered_is_told_once(world: &mut World) -> Result<()> {
    let admin = world.place(world.tenant, "sk-admin-sim-a").await?;
    let inside = world.place(world.tenant, "sk-sim-good-inside").await?;
    let outside = world.place(world.tenant, "sk-sim-good-outside").await?;
    world.place(world.tenant, "sk-sim-good-unnamed").await?;
    for (name, id) in [("inside", "key_inside"), ("outside", "key_outside")] {
        let config = format!(r#"{{"provider_key_id":"{id}"}}"#);
        world.execute(&format!("UPDATE integrations SET config = '{config}' WHERE name LIKE '%{name}'")).await?;
    }
    // The whole day before yesterday.
    let from = Timestamp::now().before(2 * DAY).floor(DAY);
    let late = late(world, from).await?;
    let window = UsageWindow { from, to: from.after(DAY) };
    world.start()?;
    for _ in 0..2 {
        let fetch = Command::FetchUsage { integration_id: admin.id, window, resume: None };
        let message = world.command(world.tenant, fetch).await?;
        let operation = world.ended(&message).await?;
        ensure!(operation.state == OperationState::Succeeded, "{operation:?}");
    }
    figures_of_keys_are_part_of_the_whole(world, from).await?;
    let lines = report(world, from).await?;
    ensure!(lines.len() == 2 && lines.iter().all(|line| line.metered_requests == 0), "{lines:?}");
    let of = |submitted: &Submitted| lines.iter().find(|line| line.integration_id == submitted.id).cloned();
    let of_inside = of(&inside).context("the key inside")?;
    let theirs = of(&outside).context("the key outside")?;
    ensure!(of_inside.reported_tokens != theirs.reported_tokens, "two keys have the same figures: {lines:?}");

    // All that is reported of one of them went through the proxy.
    let tokens = TokenCounts { input: of_inside.reported_tokens, output: Some(0), ..TokenCounts::default() };
    let metered = MeteredCall {
        request_id: RequestId::new(),
        served_by: ServedBy::Integration(inside.id),
        started_at: from.after(DAY / 2),
        ..call(world, "gpt-4o-mini", tokens)
    };
    let tx = world.store.system().await?;
    usage::append_metered(
        &tx,
        world.tenant.id,
        vec![MeteredRow { call: metered, cost_nano_usd: None, price_version: None }],
    )
    .await?;
    tx.commit().await?;
    let lines = report(world, from).await?;
    let told: Vec<_> = lines.iter().filter(|line| line.is_outside(5)).map(|line| line.integration_id).collect();
    ensure!(told == [outside.id], "{lines:?}");

    // A process looks when it starts, and then one of all every hour.
    world.stop().await?;
    world.execute("DELETE FROM schedule_fires WHERE schedule = 'drift'").await?;
    for _ in 0..2 {
        world.start()?;
    }
    let said = async || Ok(!world.audited(&outside, "integration.used_outside").await?.is_empty());
    until("its owner is told", said).await?;
    world.settle().await?;
    let records = world.audited(&outside, "integration.used_outside").await?;
    ensure!(records.len() == 1 && records[0].event.changes["day"] == from.day(), "{records:?}");
    ensure!(records[0].event.changes["reported_tokens"].as_i64() == theirs.reported_tokens, "{records:?}");
    for quiet in [&inside, &admin, &late] {
        ensure!(world.audited(quiet, "integration.used_outside").await?.is_empty());
    }
    Ok(())
}

/// Dates the keys before this day, and adds one that came after it, for which the day's report says nothing.
async fn late(world: &mut World, from: Timestamp) -> Result<Submitted> {
    world.execute(&format!("UPDATE integrations SET created_at_ms = {}", from.ms())).await?;
    let late = world.place(world.tenant, "sk-sim-good-late").await?;
    let config = r#"{"provider_key_id":"key_late"}"#;
    let set = format!("config = '{config}', created_at_ms = {}", from.after(DAY).ms());
    world.execute(&format!("UPDATE integrations SET {set} WHERE name LIKE '%late'")).await?;
    Ok(late)
}

async fn figures_of_keys_are_part_of_the_whole(world: &World, from: Timestamp) -> Result<()> {
    let unsaid = "SELECT count(*) AS n FROM key_usage WHERE reported_by IS NULL OR project_id IS NULL";
    ensure!(world.number(unsaid).await? == 0, "nobody knows from which report the figures are to be taken");
    ensure!(reported(world, from, vec![GroupBy::Integration]).await? == reported(world, from, Vec::new()).await?);
    Ok(())
}

/// Sums the calls and input tokens reported for a day, over the groups.
async fn reported(world: &World, from: Timestamp, group_by: Vec<GroupBy>) -> Result<(i64, i64)> {
    let tx = world.store.tenant_read(world.tenant.id).await?;
    let (to, ledger, groups) = (from.after(DAY), Ledger::Reported, MAX_GROUPS);
    let query = ReportQuery { from, to, group_by, ledger, only: Default::default(), after: None, groups };
    let groups = usage_report::report(&tx, &query).await?.items;
    let sum = |figure: fn(&UsageGroup) -> Option<i64>| groups.iter().filter_map(figure).sum::<i64>();
    let sums = (sum(|group| group.requests), sum(|group| group.tokens.input));
    ensure!(sums.0 > 0 && sums.1 > 0, "{groups:?}");
    Ok(sums)
}

async fn report(world: &World, day: Timestamp) -> Result<Vec<Drift>> {
    let tx = world.store.tenant_read(world.tenant.id).await?;
    let days = Days { from: day.day(), to: day.day() };
    Ok(drift::report(&tx, &days, None, None, Page::first(100)).await?.items)
}
