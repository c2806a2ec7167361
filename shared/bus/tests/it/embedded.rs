//! Properties of the embedded bus alone: a journal that outlives it, and lanes that are full.

use std::sync::{Arc, atomic::Ordering};

use anyhow::{Result, ensure};
use keyway_bus::{Bus, BusError, EmbeddedBus, Handover, Journal};
use keyway_domain::{Lane, Route};

use crate::harness::{MemoryJournal, World, commands, handler, options, outgoing, started, until};

fn bus_on(journal: &Arc<MemoryJournal>, capacity: usize) -> Arc<dyn Bus> {
    Arc::new(EmbeddedBus::new(Arc::clone(journal) as Arc<dyn Journal>, capacity))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_loses_nothing() -> Result<()> {
    let world = World::embedded();
    let journal = world.journal.clone().unwrap_or_default();
    let messages = commands(100);
    world.submit(&messages).await?;
    let half = handler(|delivery| async move {
        if delivery.message.id.uuid().as_bytes()[15] % 2 == 0 {
            return Ok(());
        }
        std::future::pending().await
    });
    let pool = world.pool(Lane::Verify, options(100), half);
    until("half of it is done", || !pool.seen().is_empty() && journal.len() + pool.seen().len() == 100).await?;
    pool.done.abort();
    drop(world);
    let left = journal.len();
    ensure!(left > 0, "nothing was in flight");

    journal.release_all();
    let (bus, rows) = (bus_on(&journal, 1000), journal.claim());
    ensure!(rows.len() == left);
    bus.relay(rows).await;
    let restarted = World { bus, journal: Some(Arc::clone(&journal)), broker: None };
    let pool = restarted.pool(Lane::Verify, options(8), handler(|_| async { Ok(()) }));
    until("the rest is done", || journal.len() == 0).await?;
    ensure!(pool.stop().await?.len() == left);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ack_waits_for_a_journal_that_fails_and_the_handler_runs_once() -> Result<()> {
    let world = World::embedded();
    let journal = world.journal.clone().unwrap_or_default();
    journal.failing_removals.store(3, Ordering::SeqCst);
    let messages = commands(1);
    world.submit(&messages).await?;
    let pool = world.pool(Lane::Verify, options(4), handler(|_| async { Ok(()) }));
    until("the row is removed", || journal.len() == 0).await?;
    ensure!(pool.stop().await?.len() == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_lane_refuses_rows_until_it_was_worked_off() -> Result<()> {
    let journal = Arc::new(MemoryJournal::default());
    let bus = bus_on(&journal, 4);
    let route = Route::Lane(Lane::Verify);
    let messages = commands(6);
    let answers = bus.relay(messages.iter().map(outgoing).collect()).await;
    ensure!(answers[..4].iter().all(|answer| *answer == Ok(Handover::InFlight)), "{answers:?}");
    ensure!(answers[4..].iter().all(|answer| *answer == Err(BusError::Full(Lane::Verify))), "{answers:?}");
    ensure!(bus.capacity(route) == 0 && bus.capacity(Route::Lane(Lane::Audit)) == 4);
    let twice = bus.relay(vec![outgoing(&messages[0])]).await;
    ensure!(twice == [Ok(Handover::InFlight)], "a row that is held already needs no room");
    let world = World { bus: Arc::clone(&bus), journal: Some(journal), broker: None };
    let pool = world.pool(Lane::Verify, options(2), handler(|_| async { Ok(()) }));
    bus.ready(route).await;
    pool.handled(&messages[..4]).await?;
    ensure!(pool.stop().await?.len() == 4 && bus.capacity(route) == 4);
    Ok(())
}

#[tokio::test]
async fn published_events_are_rows_before_the_caller_goes_on() -> Result<()> {
    let journal = Arc::new(MemoryJournal::default());
    let bus = bus_on(&journal, 4);
    bus.publish(&[started(), started()]).await?;
    ensure!(journal.len() == 2 && bus.capacity(Route::Lane(Lane::Status)) == 4);
    Ok(())
}
