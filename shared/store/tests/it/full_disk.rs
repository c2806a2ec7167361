//! SQLite rolls back by itself when the disk is full; what is committed later is committed all the same.

use anyhow::Result;
use keyway_domain::{Body, Event, Invalidation, Message, MessageId, Timestamp};
use keyway_store::{outbox, raw};

use crate::fixture::Fixture;

#[tokio::test]
async fn what_was_rolled_back_by_itself_takes_no_later_commit_with_it() -> Result<()> {
    let fixture = Fixture::sqlite().await?;
    let rolled_back = fixture.store.system().await?;
    raw::execute(&rolled_back, "ROLLBACK").await?;
    drop(rolled_back);
    // One that nobody commits, as there are many.
    drop(fixture.store.system().await?);
    let event = Body::Event(Event::Invalidated(Invalidation::Providers));
    let tx = fixture.store.tenant(fixture.tenant).await?;
    outbox::insert(&tx, &[Message::new(MessageId::new(), fixture.tenant, event)], Timestamp::now()).await?;
    tx.commit().await?;
    let tx = fixture.store.system_read().await?;
    assert_eq!(raw::number(&tx, "SELECT count(*) AS n FROM outbox").await?, 1);
    Ok(())
}
