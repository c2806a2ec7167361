//! The embedded bus's durability: its journal is the outbox table.

use async_trait::async_trait;
use keyway_bus::{BusError, Journal};
use keyway_domain::{Message, MessageId, Timestamp};
use keyway_store::{Store, StoreError, outbox};

/// The outbox as a journal.
pub struct OutboxJournal(Store);

impl OutboxJournal {
    /// Builds a journal on this database.
    #[must_use]
    pub const fn new(store: Store) -> Self {
        Self(store)
    }
}

#[async_trait]
impl Journal for OutboxJournal {
    async fn append(&self, messages: &[Message]) -> Result<(), BusError> {
        let write = async {
            let tx = self.0.system().await?;
            outbox::insert(&tx, messages, Timestamp::now()).await?;
            tx.commit().await
        };
        write.await.map_err(failed)
    }

    async fn remove(&self, ids: &[MessageId]) -> Result<(), BusError> {
        let write = async {
            let tx = self.0.system().await?;
            outbox::delete(&tx, ids).await?;
            tx.commit().await
        };
        write.await.map_err(failed)
    }
}

fn failed(error: StoreError) -> BusError {
    BusError::Journal(error.to_string())
}
