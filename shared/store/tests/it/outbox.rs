//! The outbox: claims are disjoint, writing twice is once, and commits wake the relay.

use std::{collections::HashSet, time::Duration};

use anyhow::{Context, Result};
use keyway_domain::{Body, Event, Invalidation, Message, MessageId, Route, Timestamp};
use keyway_store::{
    outbox::{self, Due},
    raw,
};

use crate::fixture::{Fixture, NOW, on_both};

on_both! {
    two_claimers_get_different_rows
    a_row_is_written_once_and_due_in_its_time
    a_claim_lapses_and_a_release_gives_back
    a_row_that_is_held_is_claimed_no_sooner_and_one_that_was_freed_is_not_held
    a_commit_wakes_the_relay_and_a_rollback_does_not
    a_row_of_a_newer_build_s_route_waits_for_it_and_holds_nobody_up
}

const FAR: Timestamp = Timestamp::from_ms(4_000_000_000_000);
/// Long before the wall clock, which claims go by.
const PAST: Timestamp = Timestamp::from_ms(1);

fn messages(fixture: &Fixture, count: usize) -> Vec<Message> {
    let body = Body::Event(Event::Invalidated(Invalidation::Providers));
    (0..count).map(|_| Message::new(MessageId::new(), fixture.tenant, body.clone())).collect()
}

async fn insert(fixture: &Fixture, messages: &[Message], at: Timestamp) -> Result<()> {
    let tx = fixture.store.tenant(fixture.tenant).await?;
    outbox::insert_due(&tx, &messages.iter().map(|message| Due { message, at }).collect::<Vec<_>>()).await?;
    Ok(tx.commit().await?)
}

async fn claim(fixture: &Fixture, rows: u64, until: Timestamp) -> Result<Vec<outbox::OutboxRow>> {
    let tx = fixture.store.system().await?;
    let claimed = outbox::claim(&tx, Route::Invalidate, rows, until).await?;
    tx.commit().await?;
    Ok(claimed)
}

async fn two_claimers_get_different_rows(fixture: Fixture) -> Result<()> {
    insert(&fixture, &messages(&fixture, 100), PAST).await?;
    let claimer = async || -> Result<Vec<MessageId>> {
        let mut ids = Vec::new();
        loop {
            let claimed = claim(&fixture, 7, FAR).await?;
            if claimed.is_empty() {
                return Ok(ids);
            }
            ids.extend(claimed.into_iter().map(|row| row.id));
        }
    };
    let (a, b) = tokio::join!(claimer(), claimer());
    let all: Vec<_> = a?.into_iter().chain(b?).collect();
    assert_eq!(all.len(), 100);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 100);
    Ok(())
}

async fn a_row_is_written_once_and_due_in_its_time(fixture: Fixture) -> Result<()> {
    let messages = messages(&fixture, 3);
    insert(&fixture, &messages[..2], PAST).await?;
    insert(&fixture, &messages[..2], PAST).await?;
    insert(&fixture, &messages[2..], FAR).await?;
    let tx = fixture.store.system_read().await?;
    let stats = outbox::stats(&tx, Timestamp::now()).await?;
    let counts = |stats: &outbox::RouteStats| (stats.route, stats.ready, stats.in_flight, stats.delayed);
    assert_eq!(stats.iter().map(counts).collect::<Vec<_>>(), [(Route::Invalidate, 2, 0, 1)]);
    let oldest = stats[0].oldest_ready_at.context("the oldest")?;
    // PostgreSQL's clock and this process' are read one after the other.
    assert!((oldest.ms() - PAST.ms()).abs() < 1000, "{oldest}");
    drop(tx);
    let claimed = claim(&fixture, 10, FAR).await?;
    let ids: HashSet<_> = claimed.iter().map(|row| row.id).collect();
    assert_eq!(ids, messages[..2].iter().map(|message| message.id).collect());
    assert_eq!(Message::decode(&claimed[0].body)?.id, claimed[0].id);
    let tx = fixture.store.system().await?;
    let stats = outbox::stats(&tx, Timestamp::now()).await?;
    assert_eq!((counts(&stats[0]), stats[0].oldest_ready_at), ((Route::Invalidate, 0, 2, 1), None), "nothing waits");
    assert!(outbox::claim(&tx, Route::ALL[0], 10, FAR).await?.is_empty(), "another route");
    outbox::delete(&tx, &ids.into_iter().collect::<Vec<_>>()).await?;
    assert_eq!(outbox::stats(&tx, Timestamp::now()).await?[0].ready, 0);
    Ok(())
}

async fn a_claim_lapses_and_a_release_gives_back(fixture: Fixture) -> Result<()> {
    insert(&fixture, &messages(&fixture, 1), PAST).await?;
    assert_eq!(claim(&fixture, 1, PAST).await?.len(), 1);
    let lapsed = claim(&fixture, 1, FAR).await?;
    assert_eq!(lapsed.len(), 1, "the first claim has lapsed");
    assert!(claim(&fixture, 1, FAR).await?.is_empty());
    let tx = fixture.store.system().await?;
    outbox::release(&tx, &[lapsed[0].id], NOW).await?;
    tx.commit().await?;
    assert_eq!(claim(&fixture, 1, FAR).await?.len(), 1);
    let tx = fixture.store.system().await?;
    assert_eq!(outbox::release_all(&tx).await?, 1);
    tx.commit().await?;
    assert_eq!(claim(&fixture, 1, PAST).await?.len(), 1);
    Ok(())
}

async fn a_row_that_is_held_is_claimed_no_sooner_and_one_that_was_freed_is_not_held(fixture: Fixture) -> Result<()> {
    let messages = messages(&fixture, 2);
    let ids: Vec<_> = messages.iter().map(|message| message.id).collect();
    insert(&fixture, &messages, PAST).await?;
    // Its claim has lapsed already: it is held all the same.
    assert_eq!(claim(&fixture, 2, PAST).await?.len(), 2);
    let tx = fixture.store.system().await?;
    outbox::release(&tx, &ids[1..], PAST).await?;
    outbox::hold(&tx, &ids, FAR).await?;
    tx.commit().await?;
    let claimed: Vec<_> = claim(&fixture, 2, FAR).await?.into_iter().map(|row| row.id).collect();
    assert_eq!(claimed, ids[1..]);
    Ok(())
}

async fn a_commit_wakes_the_relay_and_a_rollback_does_not(fixture: Fixture) -> Result<()> {
    let mut wakeups = fixture.store.outbox_wakeups().await?;
    let tx = fixture.store.tenant(fixture.tenant).await?;
    outbox::insert(&tx, &messages(&fixture, 1), PAST).await?;
    drop(tx);
    let silence = tokio::time::timeout(Duration::from_millis(50), wakeups.next()).await;
    assert!(silence.is_err(), "nothing was committed");
    insert(&fixture, &messages(&fixture, 1), PAST).await?;
    tokio::time::timeout(Duration::from_secs(10), wakeups.next()).await.context("a wake-up")??;
    Ok(())
}

async fn a_row_of_a_newer_build_s_route_waits_for_it_and_holds_nobody_up(fixture: Fixture) -> Result<()> {
    insert(&fixture, &messages(&fixture, 20), PAST).await?;
    let tx = fixture.store.system().await?;
    assert_eq!(raw::execute(&tx, "UPDATE outbox SET route = 'rewrap'").await?, 20);
    tx.commit().await?;
    let known = messages(&fixture, 3);
    insert(&fixture, &known, PAST).await?;
    let tx = fixture.store.system().await?;
    let mut claimed = Vec::new();
    for route in Route::ALL {
        claimed.extend(outbox::claim(&tx, route, 8, FAR).await?.into_iter().map(|row| row.id));
    }
    claimed.sort_unstable();
    assert_eq!(claimed, known.iter().map(|message| message.id).collect::<Vec<_>>());
    outbox::delete(&tx, &claimed).await?;
    outbox::release_all(&tx).await?;
    assert_eq!(outbox::stats(&tx, Timestamp::now()).await?, [], "it is no route of this build");
    let backlog = outbox::backlog(&tx, Timestamp::now(), 100).await?;
    assert_eq!((backlog.rows, backlog.oldest_due_at), (20, None));
    tx.commit().await?;
    let tx = fixture.store.system_read().await?;
    assert_eq!(raw::number(&tx, "SELECT count(*) AS n FROM outbox WHERE claimed_until_ms IS NULL").await?, 20);
    Ok(())
}
