//! The audit chain: gapless whoever appends, signed as it grows, and with the events from before there was one.

use anyhow::{Context as _, Result};
use keyway_audit::{NO_HASH, Tree, bytes_of};
use keyway_domain::{AuditEvent, MessageId, Timestamp};
use keyway_store::{
    Page,
    audit::{self, AuditRecord},
    audit_chain::{self, ChainState, Chained, StoredCheckpoint},
    raw,
};

use crate::fixture::{Fixture, NOW, on_both};

on_both! {
    entries_follow_each_other_whoever_appends
    a_chain_is_signed_as_it_grows
    events_from_before_are_taken_in_once
    an_event_that_is_put_there_after_the_week_is_found
}

fn records(fixture: &Fixture, count: usize) -> Vec<AuditRecord> {
    let event = |n| AuditEvent::by_system("test", "thing.done", n, NOW, serde_json::json!({"n": n}));
    let record = |n| AuditRecord { event_id: MessageId::new(), tenant_id: fixture.tenant, event: event(n) };
    (0..count).map(record).collect()
}

async fn append(fixture: &Fixture, records: &[AuditRecord]) -> Result<u64> {
    let tx = fixture.store.system().await?;
    let added = audit::append(&tx, records).await?;
    tx.commit().await?;
    Ok(added)
}

/// The whole chain, of which every entry follows the one before.
async fn chain(fixture: &Fixture) -> Result<Vec<Chained>> {
    let entries = audit_chain::entries(&fixture.store.tenant_read(fixture.tenant).await?, 0, 1000).await?;
    let mut last = NO_HASH;
    for (place, Chained { entry, .. }) in (1..).zip(&entries) {
        assert!(entry.sequence == place && entry.follows(&last), "entry {place}");
        last = entry.hash;
    }
    Ok(entries)
}

async fn entries_follow_each_other_whoever_appends(fixture: Fixture) -> Result<()> {
    let (ours, theirs) = (records(&fixture, 20), records(&fixture, 20));
    // Both also write what the other may have written already.
    let both = [ours.as_slice(), &theirs[..5]].concat();
    let (a, b) = tokio::join!(append(&fixture, &both), append(&fixture, &theirs));
    assert_eq!(a? + b?, 40);
    let chain = chain(&fixture).await?;
    assert_eq!(chain.len(), 40);
    for Chained { entry, record, .. } in chain {
        let record = record.context("the log has the event")?;
        assert_eq!(entry.bytes, bytes_of(record.event_id, record.tenant_id, &record.event));
    }
    Ok(())
}

async fn a_chain_is_signed_as_it_grows(fixture: Fixture) -> Result<()> {
    append(&fixture, &records(&fixture, 3)).await?;
    let tx = fixture.store.system().await?;
    let due = audit_chain::unsigned(&tx, NOW, 10).await?;
    let mut tree = Tree::default();
    chain(&fixture).await?.iter().for_each(|chained| tree.push(chained.entry.hash));
    assert_eq!(
        due.iter().map(|due| (due.tenant_id, due.size, due.root)).collect::<Vec<_>>(),
        [(fixture.tenant, 3, tree.root())]
    );
    let checkpoint = StoredCheckpoint { size: 3, note: "first".to_owned(), created_at: NOW };
    audit_chain::sign(&tx, fixture.tenant, &checkpoint).await?;
    let again = StoredCheckpoint { note: "again".to_owned(), ..checkpoint.clone() };
    audit_chain::sign(&tx, fixture.tenant, &again).await?;
    assert!(audit_chain::unsigned(&tx, Timestamp::from_ms(i64::MAX), 10).await?.is_empty());
    tx.commit().await?;
    append(&fixture, &records(&fixture, 2)).await?;
    let tx = fixture.store.system_read().await?;
    assert!(audit_chain::unsigned(&tx, NOW, 10).await?.is_empty(), "few, and not long ago");
    assert_eq!(audit_chain::unsigned(&tx, Timestamp::from_ms(NOW.ms() + 1), 10).await?.len(), 1);
    let tx = fixture.store.tenant_read(fixture.tenant).await?;
    assert_eq!(audit_chain::state(&tx).await?, ChainState { size: 5, signed_size: 3 });
    assert_eq!(audit_chain::checkpoints(&tx, Page::first(9)).await?.items, std::slice::from_ref(&checkpoint));
    assert_eq!(audit_chain::checkpoints_after(&tx, 2, 9).await?, [checkpoint]);
    assert!(audit_chain::checkpoints_after(&tx, 3, 9).await?.is_empty());
    Ok(())
}

async fn events_from_before_are_taken_in_once(fixture: Fixture) -> Result<()> {
    append(&fixture, &records(&fixture, 1)).await?;
    by_hand(&fixture, 3).await?;
    let (mut after, mut slices) = (None, 0);
    loop {
        let tx = fixture.store.system().await?;
        assert_eq!(audit_chain::adopting(&tx).await?, [fixture.tenant]);
        after = audit_chain::adopt(&tx, fixture.tenant, after, 2, NOW).await?;
        tx.commit().await?;
        slices += 1;
        if after.is_none() {
            break;
        }
        append(&fixture, &records(&fixture, 1)).await?;
    }
    assert_eq!((slices, chain(&fixture).await?.len()), (3, 6));
    Ok(())
}

async fn an_event_that_is_put_there_after_the_week_is_found(fixture: Fixture) -> Result<()> {
    append(&fixture, &records(&fixture, 1)).await?;
    let tx = fixture.store.system().await?;
    let later = Timestamp::from_ms(i64::MAX);
    assert_eq!(audit_chain::adopt(&tx, fixture.tenant, None, 9, later).await?, None);
    assert!(audit_chain::adopting(&tx).await?.is_empty());
    tx.commit().await?;
    assert_eq!(audit_chain::stray(&fixture.store.tenant_read(fixture.tenant).await?).await?, None);
    by_hand(&fixture, 1).await?;
    assert!(audit_chain::stray(&fixture.store.tenant_read(fixture.tenant).await?).await?.is_some());
    Ok(())
}

/// Adds up to three events past the writer.
async fn by_hand(fixture: &Fixture, count: u64) -> Result<()> {
    let tx = fixture.store.system().await?;
    let text = format!(
        "INSERT INTO audit_events SELECT id, tenant_id, 'a', 'admin', '{{\"type\": \"admin\"}}', 't', 'success', 1, NULL, \
         '{{}}' FROM (SELECT id, id AS tenant_id FROM tenants UNION ALL SELECT id, tenant_id FROM projects \
         UNION ALL SELECT id, tenant_id FROM data_keys) AS ids LIMIT {count}"
    );
    assert_eq!(raw::execute(&tx, &text).await?, count);
    Ok(tx.commit().await?)
}
