//! A broker that is killed, blocked or full while we publish and consume. Each test has a node of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use futures::FutureExt as _;
use keyway_bus::{Bus, Handover, RabbitBus, RabbitSettings};
use keyway_domain::{Lane, Message, Route};
use keyway_testkit::rabbitmq::TestBroker;

use crate::harness::{DEADLINE, World, commands, handler, options, outgoing, until};

/// Relays as the outbox does: a row is handed over again until it is stored.
async fn relay_all(bus: &Arc<dyn Bus>, messages: &[Message], stored: &AtomicUsize) {
    for chunk in messages.chunks(50) {
        let mut rows: Vec<_> = chunk.iter().map(outgoing).collect();
        while !rows.is_empty() {
            bus.ready(Route::Lane(Lane::Verify)).await;
            let answers = bus.relay(rows.clone()).await;
            let mut answers = answers.iter();
            rows.retain(|_| answers.next() != Some(&Ok(Handover::InFlight)));
            stored.store(stored.load(Ordering::SeqCst) + chunk.len() - rows.len(), Ordering::SeqCst);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_killed_while_we_publish_and_consume_loses_nothing() -> Result<()> {
    let mut world = World::on(TestBroker::private().await?).await?;
    let messages = commands(3000);
    let slow = handler(|_| async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(())
    });
    let pool = world.pool(Lane::Verify, options(8), slow);
    until("the lane is consumed", || world.bus.health().lanes.iter().any(|lane| lane.consuming)).await?;
    world.broker.as_ref().context("a broker")?.settle().await?;
    let (bus, stored) = (Arc::clone(&world.bus), Arc::new(AtomicUsize::new(0)));
    let (rows, count) = (messages.clone(), Arc::clone(&stored));
    #[expect(clippy::disallowed_methods, reason = "a test's own task")]
    let relay = tokio::spawn(async move { relay_all(&bus, &rows, &count).await });
    for part in [500, 1500] {
        until("work is under way", || stored.load(Ordering::SeqCst) >= part && pool.seen_ids().len() >= part / 4)
            .await?;
        let broker = world.broker.as_mut().context("a broker")?;
        broker.kill().await?;
        until("health tells", || {
            let health = world.bus.health();
            !health.connected && !health.errors.is_empty() && health.lanes.iter().all(|lane| !lane.consuming)
        })
        .await?;
        ensure!(world.bus.capacity(Route::Lane(Lane::Verify)) == 0);
        world.broker.as_mut().context("a broker")?.start().await?;
    }
    relay.await?;
    pool.handled(&messages).await?;
    until("every part is connected again", || world.bus.health().errors.is_empty()).await?;
    pool.stop().await?;
    ensure!(world.left(Lane::Verify).await? == 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_is_gone_and_a_broker_that_is_another_are_told_as_lost() -> Result<()> {
    let mut world = World::on(TestBroker::private().await?).await?;
    let pool = world.pool(Lane::Verify, options(8), handler(|_| async { Ok(()) }));
    let broker = world.broker.as_ref().context("a broker")?;
    broker.settle().await?;
    // The broker was empty when this process found it.
    lost(&world).await?;
    ensure!(lost(&world).now_or_never().is_none(), "nothing was lost since");
    broker.ctl(&["delete_queue", "-p", broker.vhost(), "keyway.verify"]).await?;
    lost(&world).await.context("a queue")?;
    world.submit(&commands(1)).await?;
    until("the lane works", || pool.seen_ids().len() == 1).await?;
    let broker = world.broker.as_mut().context("a broker")?;
    broker.kill().await?;
    broker.start_empty().await?;
    lost(&world).await.context("the whole broker")?;
    world.submit(&commands(1)).await?;
    until("the lane works", || pool.seen_ids().len() == 2).await?;
    pool.stop().await?;
    Ok(())
}

async fn lost(world: &World) -> Result<()> {
    tokio::time::timeout(DEADLINE, world.bus.lost()).await.context("nothing is told as lost")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_node_is_asked_when_one_does_not_answer() -> Result<()> {
    let broker = TestBroker::private().await?;
    let amqp_urls = vec!["amqp://guest:guest@127.0.0.1:1".to_owned(), broker.amqp_url.clone()];
    let bus = RabbitBus::start(RabbitSettings { amqp_urls, name: "test".into() })?;
    until("the bus is connected", || bus.health().connected && bus.health().errors.is_empty()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_in_need_of_memory_blocks_publishers_but_not_workers() -> Result<()> {
    let world = World::on(TestBroker::private().await?).await?;
    let broker = world.broker.as_ref().context("a broker")?;
    let messages = commands(20);
    world.submit(&messages).await?;
    broker.ctl(&["set_vm_memory_high_watermark", "absolute", "1MB"]).await?;
    // The broker tells a connection that it is blocked when that connection publishes.
    let more = commands(1);
    let (bus, row) = (Arc::clone(&world.bus), outgoing(&more[0]));
    #[expect(clippy::disallowed_methods, reason = "a test's own task")]
    let held = tokio::spawn(async move { bus.relay(vec![row]).await });
    until("health tells that it is blocked", || world.bus.health().blocked).await?;
    ensure!(world.bus.capacity(Route::Lane(Lane::Verify)) == 0);
    let pool = world.pool(Lane::Verify, options(4), handler(|_| async { Ok(()) }));
    pool.handled(&messages).await?;
    broker.ctl(&["set_vm_memory_high_watermark", "0.8"]).await?;
    until("it is over", || !world.bus.health().blocked && world.bus.capacity(Route::Lane(Lane::Verify)) > 0).await?;
    held.await?;
    until("the held message arrives", || pool.seen_ids().contains(&more[0].id)).await?;
    pool.stop().await?;
    ensure!(world.left(Lane::Verify).await? == 0);
    Ok(())
}
