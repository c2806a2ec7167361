//! Our own infrastructure fails or the process stops: nothing is lost, nothing doubled, no attempt burned.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use keyway_domain::{IntegrationStatus, Lane, OperationState};
use keyway_store::{DatabaseLimits, Store};
use keyway_telemetry::metrics;
use keyway_testkit::{
    private_postgres::PrivatePostgres,
    rabbitmq::TestBroker,
    simulator::{Fault, Script},
};

use crate::{
    observe::until,
    seed::Submitted,
    world::{Database, World, in_both},
};

in_both! {
    invariant_2_accepted_work_waits_for_the_next_process
    a_stop_lets_started_jobs_end_and_nothing_comes_again
    a_stop_gives_a_hanging_job_back_without_burning_an_attempt
}

async fn submit_slow(world: &World, word: &str, count: u32, latency_ms: u64) -> Result<Vec<Submitted>> {
    let mut all = Vec::new();
    for number in 0..count {
        let key = format!("sk-sim-good-{word}{number}");
        world.simulator.script(Script { key: key.clone(), fault: Fault::None, times: None, latency_ms });
        all.push(world.submit(&key).await?);
    }
    Ok(all)
}

/// Each verified, once, in its first attempt.
async fn ended_well(world: &mut World, all: &[Submitted]) -> Result<()> {
    for submitted in all {
        let operation = world.ended(&submitted.message).await?;
        ensure!(operation.state == OperationState::Succeeded && operation.attempt == 1, "{operation:?}");
        ensure!(world.integration(submitted).await?.status == IntegrationStatus::Connected);
    }
    world.settle().await?;
    for submitted in all {
        ensure!(world.history(submitted).await?.len() == 1, "{}", submitted.key);
        ensure!(world.status_changes(submitted).await? == ["verifying>connected"], "{}", submitted.key);
        ensure!(world.audited(submitted, "integration.created").await?.len() == 1, "{}", submitted.key);
    }
    Ok(())
}

fn probes(world: &World, of: &[Submitted]) -> u64 {
    of.iter().map(|submitted| world.probes(submitted)).sum()
}

async fn running_queues(world: &World) -> Result<usize> {
    let Some(broker) = &world.broker else { bail!("a broker") };
    let queues = broker.ctl(&["list_queues", "-p", broker.vhost(), "name", "state"]).await?;
    Ok(queues.lines().filter(|line| line.starts_with("keyway.") && line.ends_with("running")).count())
}

fn waits() -> u64 {
    let of = |what: &str| metrics().infrastructure_waits.with_label_values(&[what]).get();
    ["verify", "publish", "status", "audit"].into_iter().map(of).sum()
}

async fn invariant_2_accepted_work_waits_for_the_next_process(world: &mut World) -> Result<()> {
    let all = submit_slow(world, "early", 20, 0).await?;
    ensure!(probes(world, &all) == 0);
    world.start()?;
    ended_well(world, &all).await
}

async fn a_stop_lets_started_jobs_end_and_nothing_comes_again(world: &mut World) -> Result<()> {
    world.start()?;
    let all = submit_slow(world, "started", 10, 1_000).await?;
    until("the calls are under way", async || Ok(probes(world, &all) == 10)).await?;
    world.stop().await?;
    world.start()?;
    ended_well(world, &all).await?;
    ensure!(probes(world, &all) == 10, "a job that ended while its workers stopped was done again");
    Ok(())
}

async fn a_stop_gives_a_hanging_job_back_without_burning_an_attempt(world: &mut World) -> Result<()> {
    let drain = Duration::from_millis(300);
    world.settings.drain = drain;
    world.guard.total_timeout = Duration::from_secs(120);
    world.guard.read_timeout = Duration::from_secs(120);
    world.start()?;
    let all = submit_slow(world, "slow", 3, 100_000).await?;
    until("the calls are under way", async || Ok(probes(world, &all) == 3)).await?;
    world.stop().await?;
    for submitted in &all {
        let key = submitted.key.clone();
        world.simulator.script(Script { key, fault: Fault::None, times: None, latency_ms: 0 });
    }
    world.settings.drain = Duration::from_secs(10);
    world.start()?;
    ended_well(world, &all).await?;
    ensure!(all.iter().all(|submitted| world.probes(submitted) == 2));
    Ok(())
}

/// Another process holds SQLite's write lock for longer than anybody waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_database_file_burns_no_attempt() -> Result<()> {
    let mut world = World::embedded().await?;
    world.start()?;
    let all = submit_slow(&world, "busy", 10, 1_000).await?;
    until("the calls are under way", async || Ok(probes(&world, &all) == 10)).await?;
    let other = Store::connect(world.database.url(), DatabaseLimits::default()).await?;
    let lock = other.system().await?;
    until("handlers wait for the database", async || Ok(waits() > 3)).await?;
    drop(lock);
    ended_well(&mut world, &all).await?;
    world.finish().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_postgresql_burns_no_attempt() -> Result<()> {
    let database = Database::Private(PrivatePostgres::start().await?);
    let mut world = World::on(database, Some(TestBroker::shared().await?)).await?;
    world.start()?;
    let all = submit_slow(&world, "kept", 10, 1_000).await?;
    until("the calls are under way", async || Ok(probes(&world, &all) == 10)).await?;
    let Database::Private(server) = &world.database else { bail!("a private server") };
    server.kill().await?;
    until("handlers wait for the database", async || Ok(waits() > 3)).await?;
    server.revive().await?;
    ended_well(&mut world, &all).await?;
    world.finish().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_only_reads_burns_no_attempt_and_buries_nothing() -> Result<()> {
    let mut world = World::distributed().await?;
    world.start()?;
    let all = submit_slow(&world, "standby", 10, 1_000).await?;
    until("the calls are under way", async || Ok(probes(&world, &all) == 10)).await?;
    let Database::Shared(database) = &world.database else { bail!("a database of its own") };
    database.only_reads(true).await?;
    until("handlers wait for the database", async || Ok(waits() > 30)).await?;
    database.only_reads(false).await?;
    ended_well(&mut world, &all).await?;
    world.finish().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_broker_loses_nothing_and_burns_no_attempt() -> Result<()> {
    let database = Database::Shared(keyway_testkit::postgres::TestDatabase::postgres().await?);
    let mut world = World::on(database, Some(TestBroker::private().await?)).await?;
    world.start()?;
    let mut all = submit_slow(&world, "first", 1, 0).await?;
    world.ended(&all[0].message).await?;
    // RabbitMQ writes down a new quorum queue's replica half a second late, and a kill in between leaves the
    // queue without a leader for good. Each look takes about a second.
    let mut looks = 0;
    until("every queue has been there for a while", async || {
        looks = if running_queues(&world).await? == 2 * Lane::ALL.len() { looks + 1 } else { 0 };
        Ok(looks == 3)
    })
    .await?;
    all.extend(submit_slow(&world, "before", 10, 1_000).await?);
    until("the calls are under way", async || Ok(probes(&world, &all) == 11)).await?;
    let Some(broker) = &mut world.broker else { bail!("a broker") };
    broker.kill().await?;
    all.extend(submit_slow(&world, "during", 10, 0).await?);
    let Some(broker) = &mut world.broker else { bail!("a broker") };
    broker.start().await?;
    ended_well(&mut world, &all).await?;
    world.finish().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_replaced_by_an_empty_one_loses_nothing() -> Result<()> {
    let database = Database::Shared(keyway_testkit::postgres::TestDatabase::postgres().await?);
    let mut world = World::on(database, Some(TestBroker::private().await?)).await?;
    world.settings.concurrency = 2;
    world.start()?;
    let all = submit_slow(&world, "kept", 40, 500).await?;
    let bus = world.bus();
    until("some are under way and some wait on the broker", async || {
        Ok(probes(&world, &all) > 0 && bus.waiting(Lane::Verify).await? > 10)
    })
    .await?;
    let Some(broker) = &mut world.broker else { bail!("a broker") };
    broker.kill().await?;
    broker.start_empty().await?;
    ended_well(&mut world, &all).await?;
    world.finish().await
}
