//! Revocations end with the last replica that is there, and wait for none that is gone.

use anyhow::{Context, Result};
use keyway_domain::{Command, Invalidation, OperationId, OperationState, ReplicaId, Timestamp};
use keyway_store::{
    operations::{self, Progress},
    raw,
    replicas::{self, Ack, GONE_AFTER},
    transitions,
};

use crate::fixture::{Fixture, NOW, on_both, operation};

on_both! {
    a_revocation_ends_with_the_last_replica_that_is_there
    a_replica_that_is_gone_is_waited_for_by_nobody
}

async fn beat(fixture: &Fixture, replicas: &[ReplicaId]) -> Result<()> {
    let tx = fixture.store.system().await?;
    for id in replicas {
        replicas::beat(&tx, *id).await?;
    }
    Ok(tx.commit().await?)
}

/// Starts a revocation; returns the number of replicas it waits for.
async fn revoke(fixture: &Fixture) -> Result<(OperationId, i64)> {
    let tx = fixture.store.tenant(fixture.tenant).await?;
    let new = operation(fixture.tenant, Command::Revoke { what: Invalidation::Integrations }, None);
    let id = operations::insert(&tx, new, NOW).await?.id;
    tx.commit().await?;
    let tx = fixture.store.system().await?;
    replicas::expect(&tx, &[id]).await?;
    tx.commit().await?;
    Ok((id, progress(fixture, id).await?.1.total))
}

/// Writes these acknowledgements; returns `true` if the operation ended with them.
async fn ack(fixture: &Fixture, id: OperationId, replicas: &[ReplicaId]) -> Result<bool> {
    let tx = fixture.store.system().await?;
    let ack =
        |replica_id: &ReplicaId| Ack { operation_id: id, tenant_id: fixture.tenant, replica_id: *replica_id, at: NOW };
    replicas::record(&tx, &replicas.iter().map(ack).collect::<Vec<_>>()).await?;
    let ended = transitions::complete_revocations(&tx, &[id], NOW).await?;
    tx.commit().await?;
    Ok(ended == [id])
}

async fn progress(fixture: &Fixture, id: OperationId) -> Result<(OperationState, Progress)> {
    let tx = fixture.store.tenant_read(fixture.tenant).await?;
    let row = operations::find(&tx, id).await?.context("the operation")?;
    Ok((row.state, row.progress.context("a revocation shows its progress")?))
}

async fn a_revocation_ends_with_the_last_replica_that_is_there(fixture: Fixture) -> Result<()> {
    let mut three = [ReplicaId::new(), ReplicaId::new(), ReplicaId::new()];
    three.sort_unstable();
    beat(&fixture, &three).await?;
    let (id, expected) = revoke(&fixture).await?;
    assert_eq!(expected, 3);
    let tx = fixture.store.system().await?;
    let pending = replicas::pending(&tx, 10).await?;
    assert_eq!(
        pending.iter().map(|it| (it.id, it.attempt, it.what)).collect::<Vec<_>>(),
        [(id, 1, Invalidation::Integrations)]
    );
    tx.commit().await?;

    assert!(!ack(&fixture, id, &three[..1]).await?);
    assert!(!ack(&fixture, id, &[three[0], three[1], three[0]]).await?, "said twice is said once");
    let (state, seen) = progress(&fixture, id).await?;
    let unanswered = vec![three[2]];
    assert_eq!((state, seen), (OperationState::Queued, Progress { total: 3, done: 2, failed: 0, unanswered }));
    assert!(ack(&fixture, id, &three[2..]).await?);
    assert!(!ack(&fixture, id, &three[2..]).await?, "it ends once");
    let (state, seen) = progress(&fixture, id).await?;
    assert_eq!((state, seen), (OperationState::Succeeded, Progress { total: 3, done: 3, ..Progress::default() }));
    let tx = fixture.store.system().await?;
    assert!(replicas::pending(&tx, 10).await?.is_empty());
    Ok(())
}

async fn a_replica_that_is_gone_is_waited_for_by_nobody(fixture: Fixture) -> Result<()> {
    let (there, dies, leaves) = (ReplicaId::new(), ReplicaId::new(), ReplicaId::new());
    beat(&fixture, &[there, dies, leaves]).await?;
    let (id, expected) = revoke(&fixture).await?;
    assert_eq!(expected, 3);
    assert!(!ack(&fixture, id, &[there]).await?);
    let tx = fixture.store.system().await?;
    replicas::leave(&tx, leaves).await?;
    tx.commit().await?;
    assert!(!ack(&fixture, id, &[]).await?, "one is still there");
    let tx = fixture.store.system().await?;
    let long_ago = Timestamp::now().before(GONE_AFTER * 2).ms();
    let unseen = format!("UPDATE replicas SET seen_at_ms = {long_ago} WHERE seen_at_ms > 0");
    raw::execute(&tx, &unseen).await?;
    replicas::beat(&tx, there).await?;
    tx.commit().await?;
    assert!(ack(&fixture, id, &[]).await?);
    let (state, seen) = progress(&fixture, id).await?;
    let mut silent = vec![dies, leaves];
    silent.sort_unstable();
    assert_eq!((state, seen.total, seen.done, seen.failed), (OperationState::Succeeded, 3, 1, 2));
    assert_eq!(seen.unanswered, silent);
    assert_eq!(revoke(&fixture).await?.1, 1, "a later one does not wait for it at all");

    // A replica that came later acknowledges too, should it be told.
    let (id, _) = revoke(&fixture).await?;
    let late = ReplicaId::new();
    beat(&fixture, &[late]).await?;
    assert!(!ack(&fixture, id, &[there]).await?);
    assert!(ack(&fixture, id, &[late]).await?);
    let (_, seen) = progress(&fixture, id).await?;
    assert_eq!((seen.total, seen.done), (2, 2));
    Ok(())
}
