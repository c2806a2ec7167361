//! Hands over again the messages that a broker has lost: a missing queue, deleted or on a broker that was replaced,
//! took its messages with it. Their rows are still in the outbox.

use std::{sync::Arc, time::Duration};

use keyway_bus::Bus;
use keyway_store::{Store, StoreError, outbox};
use tokio_util::sync::CancellationToken;

/// Pause before the database is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// Releases every claimed row whenever a queue was found missing, until `stop`. Every process that declares queues must
/// run this: only the one that finds a queue missing knows.
pub async fn hand_over_again(store: Store, bus: Arc<dyn Bus>, stop: CancellationToken) {
    while stop.run_until_cancelled(bus.lost()).await.is_some() {
        while let Err(error) = free(&store).await {
            tracing::warn!(%error, "what a broker has lost cannot be handed over again yet");
            if stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_none() {
                return;
            }
        }
    }
}

async fn free(store: &Store) -> Result<(), StoreError> {
    let tx = store.system().await?;
    let rows = outbox::release_all(&tx).await?;
    tx.commit().await?;
    if rows > 0 {
        tracing::warn!(
            rows,
            "a queue was gone with what was in it; everything without an effect yet is handed over again"
        );
    }
    Ok(())
}
