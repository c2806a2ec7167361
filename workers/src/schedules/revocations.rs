//! Looks after revocations that wait for a replica.

use std::time::Duration;

use keyway_domain::{Body, Event, Message, MessageId, Timestamp};
use keyway_store::{StoreError, outbox, replicas};

use super::round::{Round, SLICE};
use crate::Ctx;

/// Time within which every live replica acknowledges.
const REVOCATION_DEADLINE: Duration = Duration::from_secs(120);
/// Age below which a revocation is not reviewed: replicas usually acknowledge at once.
const REVOCATION_SETTLES: Duration = Duration::from_secs(2);

/// Sends revocations that wait for a replica to the status writer: the replica may be gone by now, or never answer.
pub(super) async fn run(ctx: &Ctx, Round { at, now }: Round) -> Result<(), StoreError> {
    let tx = ctx.store.system().await?;
    let waiting = replicas::pending(&tx, SLICE).await?;
    let due: Vec<_> = waiting
        .into_iter()
        .filter(|revocation| revocation.created_at <= now.before(REVOCATION_SETTLES))
        .map(|revocation| {
            let overdue = revocation.created_at <= now.before(REVOCATION_DEADLINE);
            let event = Event::RevocationDue { overdue, observed_at: now };
            let id = MessageId::of_attempt(revocation.id, revocation.attempt);
            let id = id.derived(&format!("due/{}", at.ms()));
            let (operation_id, attempt) = (Some(revocation.id), revocation.attempt);
            Message { operation_id, attempt, ..Message::new(id, revocation.tenant_id, Body::Event(event)) }
        })
        .collect();
    outbox::insert(&tx, &due, Timestamp::now()).await?;
    replicas::delete_gone(&tx).await?;
    tx.commit().await
}
