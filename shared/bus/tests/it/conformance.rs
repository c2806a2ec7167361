//! The contract of every bus. Each test runs on both, and ends with an empty lane.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use keyway_bus::{InvalidationSignal, InvalidationStream, NoticeSignal};
use keyway_domain::{
    Body, DeadReason, Event, Invalidation, Lane, Message, MessageId, Notice, Noticed, Route, TenantId, Timestamp,
};
use tokio::sync::{Barrier, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::harness::{DEADLINE, World, commands, handler, next_dead, options, raw, started, until};

macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod embedded_bus {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() -> anyhow::Result<()> {
                super::$name(crate::harness::World::embedded()).await
            })*
        }
        mod rabbit_bus {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() -> anyhow::Result<()> {
                super::$name(crate::harness::World::rabbit().await?).await
            })*
        }
    };
}

on_both![
    relayed_commands_are_handled_once_and_the_lane_is_empty,
    published_events_reach_their_lane,
    as_many_run_at_once_as_the_pool_holds,
    a_panicking_handler_gets_its_message_again,
    a_killed_worker_s_messages_go_to_the_next,
    poison_is_filed_and_its_neighbours_run,
    a_message_that_always_fails_becomes_a_dead_letter,
    a_dead_letter_that_was_not_filed_comes_again,
    a_stopped_pool_finishes_what_it_started_and_leaves_the_rest,
    invalidations_reach_every_subscriber,
    notices_reach_every_subscriber,
    a_duplicate_has_the_same_id,
    the_bus_tells_when_it_can_take_more,
];

async fn relayed_commands_are_handled_once_and_the_lane_is_empty(world: World) -> Result<()> {
    let messages = commands(500);
    world.submit(&messages).await?;
    let pool = world.pool(Lane::Verify, options(64), handler(|_| async { Ok(()) }));
    pool.handled(&messages).await?;
    let seen = pool.stop().await?;
    ensure!(seen.len() == messages.len(), "{} deliveries of {} messages", seen.len(), messages.len());
    ensure!(seen.iter().all(|delivery| messages.contains(&delivery.message) && !delivery.redelivered));
    ensure!(world.left(Lane::Verify).await? == 0);
    Ok(())
}

async fn published_events_reach_their_lane(world: World) -> Result<()> {
    let messages: Vec<Message> = (0..100).map(|_| started()).collect();
    let pool = world.pool(Lane::Status, options(16), handler(|_| async { Ok(()) }));
    let (first, second) = messages.split_at(50);
    let published = tokio::join!(world.publish(first), world.publish(second));
    published.0.and(published.1)?;
    pool.handled(&messages).await?;
    pool.stop().await?;
    ensure!(world.left(Lane::Status).await? == 0);
    Ok(())
}

async fn as_many_run_at_once_as_the_pool_holds(world: World) -> Result<()> {
    let barrier = Arc::new(Barrier::new(16));
    let messages = commands(32);
    world.submit(&messages).await?;
    let meet = handler(move |_| {
        let barrier = Arc::clone(&barrier);
        async move {
            barrier.wait().await;
            Ok(())
        }
    });
    let pool = world.pool(Lane::Verify, options(16), meet);
    pool.handled(&messages).await?;
    pool.stop().await?;
    ensure!(world.left(Lane::Verify).await? == 0);
    Ok(())
}

async fn a_panicking_handler_gets_its_message_again(world: World) -> Result<()> {
    let messages = commands(20);
    let victim = messages[7].id;
    world.submit(&messages).await?;
    let panicking = handler(move |delivery| async move {
        assert!(delivery.message.id != victim || delivery.redelivered, "the first time it panics");
        Ok(())
    });
    let pool = world.pool(Lane::Verify, options(8), panicking);
    pool.handled(&messages).await?;
    let seen = pool.stop().await?;
    let again = seen.iter().find(|delivery| delivery.message.id == victim).context("the victim")?;
    ensure!(again.redelivered && again.crashes == 1, "{again:?}");
    ensure!(world.left(Lane::Verify).await? == 0);
    Ok(())
}

async fn a_killed_worker_s_messages_go_to_the_next(world: World) -> Result<()> {
    let messages = commands(10);
    world.submit(&messages).await?;
    let begun = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&begun);
    let endless = handler(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        std::future::pending()
    });
    let killed = world.pool(Lane::Verify, options(4), endless);
    until("four handlers are at work", || begun.load(Ordering::SeqCst) == 4).await?;
    killed.done.abort();
    let pool = world.pool(Lane::Verify, options(4), handler(|_| async { Ok(()) }));
    pool.handled(&messages).await?;
    let seen = pool.stop().await?;
    ensure!(seen.iter().filter(|delivery| delivery.redelivered).count() >= 4);
    ensure!(world.left(Lane::Verify).await? == 0);
    Ok(())
}

async fn poison_is_filed_and_its_neighbours_run(world: World) -> Result<()> {
    let messages = commands(10);
    let (rubbish, newer) = (raw(Lane::Verify, b"\xffnot a message"), raw(Lane::Verify, br#"{"v":2,"new":true}"#));
    let unknown = raw(Lane::Verify, br#"{"v":1,"kind":"no_such_kind"}"#);
    let (first, rest) = messages.split_at(5);
    world.submit(first).await?;
    world.relay(vec![rubbish.clone(), newer.clone(), unknown.clone()]).await?;
    world.submit(rest).await?;
    let stop = CancellationToken::new();
    let mut letters = world.bus.dead_letters(&stop);
    let pool = world.pool(Lane::Verify, options(2), handler(|_| async { Ok(()) }));
    pool.handled(&messages).await?;
    let mut found = Vec::new();
    for _ in 0..3 {
        let letter = next_dead(&mut letters).await?;
        ensure!(letter.lane == Lane::Verify && !letter.error.is_empty(), "{letter:?}");
        found.push((letter.message_id, letter.reason, letter.body.clone()));
        letter.ack().await?;
    }
    for expected in [(rubbish, DeadReason::Malformed), (newer, DeadReason::Version), (unknown, DeadReason::UnknownKind)]
    {
        ensure!(found.contains(&(expected.0.id, expected.1, expected.0.body)), "{found:?}");
    }
    pool.stop().await?;
    stop.cancel();
    ensure!(letters.next().await.is_none());
    ensure!(world.left(Lane::Verify).await? == 0);
    Ok(())
}

async fn a_message_that_always_fails_becomes_a_dead_letter(world: World) -> Result<()> {
    let messages = commands(10);
    let victim = messages[3].clone();
    world.submit(&messages).await?;
    let stop = CancellationToken::new();
    let mut letters = world.bus.dead_letters(&stop);
    let (tries, id) = (Arc::new(AtomicUsize::new(0)), victim.id);
    let count = Arc::clone(&tries);
    let failing = handler(move |delivery| {
        let count = Arc::clone(&count);
        async move {
            if delivery.message.id == id {
                count.fetch_add(1, Ordering::SeqCst);
                bail!("it never works");
            }
            Ok(())
        }
    });
    let pool = world.pool(Lane::Verify, options(4), failing);
    let letter = next_dead(&mut letters).await?;
    ensure!(letter.message_id == victim.id && letter.reason == DeadReason::Crashed, "{letter:?}");
    ensure!(letter.attempts == 3 && Message::decode(&letter.body)? == victim, "{letter:?}");
    letter.ack().await?;
    ensure!(tries.load(Ordering::SeqCst) == 3);
    let others: Vec<_> = messages.into_iter().filter(|message| message.id != victim.id).collect();
    pool.handled(&others).await?;
    pool.stop().await?;
    stop.cancel();
    ensure!(letters.next().await.is_none());
    ensure!(world.left(Lane::Verify).await? == 0);
    Ok(())
}

async fn a_dead_letter_that_was_not_filed_comes_again(world: World) -> Result<()> {
    let rubbish = raw(Lane::Audit, b"rubbish");
    world.relay(vec![rubbish.clone()]).await?;
    let pool = world.pool(Lane::Audit, options(2), handler(|_| async { Ok(()) }));
    let stop = CancellationToken::new();
    let mut letters = world.bus.dead_letters(&stop);
    drop(next_dead(&mut letters).await?);
    let again = next_dead(&mut letters).await?;
    ensure!(again.message_id == rubbish.id && again.lane == Lane::Audit);
    again.ack().await?;
    ensure!(pool.stop().await?.is_empty());
    stop.cancel();
    ensure!(letters.next().await.is_none());
    ensure!(world.left(Lane::Audit).await? == 0);
    Ok(())
}

async fn a_stopped_pool_finishes_what_it_started_and_leaves_the_rest(world: World) -> Result<()> {
    let messages = commands(50);
    world.submit(&messages).await?;
    let (begun, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let (count, wait) = (Arc::clone(&begun), Arc::clone(&gate));
    let gated = handler(move |_| {
        let wait = Arc::clone(&wait);
        count.fetch_add(1, Ordering::SeqCst);
        async move {
            wait.acquire().await?.forget();
            Ok(())
        }
    });
    let pool = world.pool(Lane::Verify, options(8), gated);
    until("eight handlers are at work", || begun.load(Ordering::SeqCst) == 8).await?;
    pool.stop.cancel();
    gate.add_permits(messages.len());
    let finished = pool.stop().await?;
    let at_stop = begun.load(Ordering::SeqCst);
    ensure!(finished.len() == at_stop && at_stop < messages.len(), "{} finished, {at_stop} begun", finished.len());
    let done: Vec<MessageId> = finished.iter().map(|delivery| delivery.message.id).collect();
    let rest: Vec<_> = messages.into_iter().filter(|message| !done.contains(&message.id)).collect();
    let next = world.pool(Lane::Verify, options(8), handler(|_| async { Ok(()) }));
    next.handled(&rest).await?;
    ensure!(next.stop().await?.len() == rest.len(), "something finished was delivered again");
    ensure!(world.left(Lane::Verify).await? == 0);
    Ok(())
}

async fn invalidations_reach_every_subscriber(world: World) -> Result<()> {
    let mut subscribers = [world.bus.invalidations(), world.bus.invalidations()];
    let tenants = [TenantId::new(), TenantId::new()];
    let invalidated = |tenant| {
        let body = Body::Event(Event::Invalidated(Invalidation::Integrations));
        Message::new(MessageId::new(), tenant, body)
    };
    // Until the subscriptions stand, signals go nowhere: that is what best effort means.
    for subscriber in &mut subscribers {
        while !heard(subscriber, tenants[0]).await? {
            world.bus.publish(&[invalidated(tenants[0])]).await?;
        }
    }
    let message = invalidated(tenants[1]);
    let row = keyway_bus::Outgoing { id: message.id, route: Route::Invalidate, body: message.encode()? };
    ensure!(world.bus.relay(vec![row]).await == [Ok(keyway_bus::Handover::Done)]);
    for subscriber in &mut subscribers {
        until_heard(subscriber, tenants[1]).await?;
    }
    Ok(())
}

async fn notices_reach_every_subscriber(world: World) -> Result<()> {
    let mut subscribers = [world.bus.notices(), world.bus.notices()];
    let told = |at| Notice::new(TenantId::new(), Noticed::Status(None), Timestamp::from_ms(at));
    let (first, second) = (vec![told(1)], vec![told(2), told(3)]);
    world.bus.notify(Vec::new());
    // Until the subscriptions stand, notices go nowhere: that is what best effort means.
    for subscriber in &mut subscribers {
        tokio::time::timeout(DEADLINE, async {
            loop {
                world.bus.notify(first.clone());
                let heard = tokio::time::timeout(Duration::from_millis(50), subscriber.next()).await;
                if heard == Ok(Some(NoticeSignal::Changed(first.clone()))) {
                    return;
                }
            }
        })
        .await?;
    }
    world.bus.notify(second.clone());
    for subscriber in &mut subscribers {
        let until = async { while subscriber.next().await != Some(NoticeSignal::Changed(second.clone())) {} };
        tokio::time::timeout(DEADLINE, until).await?;
    }
    Ok(())
}

async fn heard(subscriber: &mut InvalidationStream, tenant: TenantId) -> Result<bool> {
    match tokio::time::timeout(Duration::from_millis(50), subscriber.next()).await {
        Ok(signal) => {
            let expected = InvalidationSignal::Changed(tenant, Invalidation::Integrations, None);
            Ok(signal.context("the bus is gone")? == expected)
        }
        Err(_) => Ok(false),
    }
}

async fn until_heard(subscriber: &mut InvalidationStream, tenant: TenantId) -> Result<()> {
    tokio::time::timeout(DEADLINE, async {
        while !heard(subscriber, tenant).await? {}
        anyhow::Ok(())
    })
    .await?
}

async fn a_duplicate_has_the_same_id(world: World) -> Result<()> {
    let messages = commands(5);
    world.submit(&messages).await?;
    world.submit(&messages).await?;
    let pool = world.pool(Lane::Verify, options(4), handler(|_| async { Ok(()) }));
    pool.handled(&messages).await?;
    let last = commands(1);
    world.submit(&last).await?;
    until("what came after is handled", || pool.seen_ids().contains(&last[0].id)).await?;
    let seen = pool.stop().await?;
    ensure!(seen.iter().all(|d| d.message == last[0] || messages.contains(&d.message)));
    ensure!(world.left(Lane::Verify).await? == 0);
    Ok(())
}

async fn the_bus_tells_when_it_can_take_more(world: World) -> Result<()> {
    for route in Route::ALL {
        tokio::time::timeout(DEADLINE, world.bus.ready(route)).await?;
        let capacity = world.bus.capacity(route);
        ensure!((1..=10_000).contains(&capacity), "{route:?} has a capacity of {capacity}");
    }
    world.submit(&commands(3)).await?;
    let verify = world.bus.depths().await?.into_iter().find(|depth| depth.lane == Lane::Verify).context("a depth")?;
    ensure!(verify.consumers == 0 && verify.dead == 0, "{verify:?}");
    let pool = world.pool(Lane::Verify, options(4), handler(|_| async { Ok(()) }));
    until("the lane is consumed", || {
        world.bus.health().lanes.iter().any(|health| health.lane == Lane::Verify && health.consuming)
    })
    .await?;
    until("the lane is worked off", || pool.seen_ids().len() == 3).await?;
    pool.stop().await?;
    ensure!(world.bus.health().lanes.is_empty() && world.bus.health().errors.is_empty());
    ensure!(world.left(Lane::Verify).await? == 0);
    Ok(())
}
