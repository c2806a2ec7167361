//! Dead letters: filed once, visible to their tenant, and deleted when none waits for a decision.

use anyhow::{Context, Result};
use keyway_domain::{MessageId, TenantId, Timestamp};
use keyway_store::{
    Page, StoreError,
    dead_letters::{self, DeadLetterRow},
    retention,
};

use crate::fixture::{Fixture, NOW, on_both};

on_both! {
    a_dead_letter_is_filed_once_and_seen_by_its_tenant
    a_replayed_dead_letter_waits_no_more_until_it_comes_back
    what_can_be_read_again_is_replayed_by_the_first
}

fn letter(tenant: TenantId, reason: &str) -> DeadLetterRow {
    DeadLetterRow {
        id: MessageId::new(),
        tenant_id: Some(tenant),
        // A lane that a later build may have.
        lane: "rewrap".to_owned(),
        reason: reason.to_owned(),
        error: "not JSON".to_owned(),
        body: b"\xff\x00".to_vec(),
        attempts: 3,
        created_at: NOW,
        replayed_at: None,
    }
}

async fn a_dead_letter_is_filed_once_and_seen_by_its_tenant(fixture: Fixture) -> Result<()> {
    let letter = letter(fixture.tenant, "malformed");
    let nobodys = DeadLetterRow { id: MessageId::new(), tenant_id: None, ..letter.clone() };
    let tx = fixture.store.system().await?;
    for letter in [&letter, &letter, &nobodys] {
        dead_letters::insert(&tx, letter.clone()).await?;
    }
    assert_eq!(dead_letters::count(&tx).await?, 2);
    assert_eq!(dead_letters::list_all(&tx, Page::first(9)).await?.items.len(), 2);
    tx.commit().await?;
    let tx = fixture.store.tenant(fixture.tenant).await?;
    assert_eq!(dead_letters::list(&tx, Page::first(9)).await?.items, std::slice::from_ref(&letter));
    dead_letters::mark_replayed(&tx, letter.id, NOW).await?;
    assert_eq!(dead_letters::find(&tx, letter.id).await?.context("filed")?.replayed_at, Some(NOW));
    assert!(matches!(dead_letters::delete(&tx, nobodys.id).await, Err(StoreError::NotFound)));
    dead_letters::delete(&tx, letter.id).await?;
    Ok(())
}

async fn a_replayed_dead_letter_waits_no_more_until_it_comes_back(fixture: Fixture) -> Result<()> {
    let letters = ["crashed", "crashed", dead_letters::EXHAUSTED].map(|reason| letter(fixture.tenant, reason));
    let tx = fixture.store.system().await?;
    for letter in &letters {
        dead_letters::insert(&tx, letter.clone()).await?;
    }
    tx.commit().await?;
    let tx = fixture.store.tenant(fixture.tenant).await?;
    dead_letters::mark_replayed(&tx, letters[0].id, NOW).await?;
    tx.commit().await?;
    let tx = fixture.store.system().await?;
    assert_eq!(dead_letters::count(&tx).await?, 2);
    let back = DeadLetterRow { attempts: 2, ..letters[0].clone() };
    dead_letters::insert(&tx, back.clone()).await?;
    assert_eq!(dead_letters::count(&tx).await?, 3);
    assert_eq!(dead_letters::find_any(&tx, back.id).await?, Some(back));
    // With age go those that nobody waits for.
    let later = Timestamp::from_ms(NOW.ms() + 1);
    assert_eq!(retention::delete_settled_dead_letters(&tx, NOW, 10).await?, 0);
    assert_eq!(retention::delete_settled_dead_letters(&tx, later, 10).await?, 1, "the exhausted one");
    tx.commit().await?;
    let tx = fixture.store.tenant(fixture.tenant).await?;
    dead_letters::mark_replayed(&tx, letters[1].id, NOW).await?;
    tx.commit().await?;
    let tx = fixture.store.system().await?;
    assert_eq!(retention::delete_settled_dead_letters(&tx, later, 10).await?, 1, "the replayed one");
    assert_eq!(dead_letters::count(&tx).await?, 1);
    Ok(())
}

async fn what_can_be_read_again_is_replayed_by_the_first(fixture: Fixture) -> Result<()> {
    let mut letters = ["version", "crashed", "malformed", "version"].map(|reason| letter(fixture.tenant, reason));
    letters[3].tenant_id = None;
    let tx = fixture.store.system().await?;
    for letter in &letters {
        dead_letters::insert(&tx, letter.clone()).await?;
    }
    tx.commit().await?;
    let waiting = async |after, rows| -> Result<Vec<MessageId>> {
        let tx = fixture.store.system_read().await?;
        let found = dead_letters::waiting(&tx, &["version", "malformed"], after, rows).await?;
        Ok(found.into_iter().map(|letter| letter.id).collect())
    };
    let ids = [0, 2, 3].map(|at| letters[at].id);
    assert_eq!(waiting(None, 2).await?, ids[..2]);
    assert_eq!(waiting(Some(ids[1]), 2).await?, ids[2..]);
    let read = async |id| -> Result<bool> {
        let tx = fixture.store.system().await?;
        let first = dead_letters::mark_read(&tx, id, fixture.tenant, NOW).await?;
        tx.commit().await?;
        Ok(first)
    };
    let (a, b) = tokio::join!(read(ids[2]), read(ids[2]));
    assert_eq!([a?, b?].into_iter().filter(|first| *first).count(), 1, "one of them");
    assert_eq!(waiting(None, 9).await?, ids[..2]);
    let tx = fixture.store.system_read().await?;
    let owned = dead_letters::find_any(&tx, ids[2]).await?.context("it stays")?;
    assert_eq!((owned.tenant_id, owned.replayed_at), (Some(fixture.tenant), Some(NOW)));
    Ok(())
}
