//! Hands over again what a broker has lost: a queue that is missing when a process looks took all with it that was in it,
//! be it that somebody deleted it or that the whole broker is another one. The rows are still in the outbox.

use std::{sync::Arc, time::Duration};

use keyway_bus::Bus;
use keyway_store::{Store, StoreError, outbox};
use tokio_util::sync::CancellationToken;

/// How long until the database is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// Frees every row that was handed over whenever a queue was found missing, until `stop`. Every process that declares
/// queues has to do so: only the one that finds a queue missing knows.
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
