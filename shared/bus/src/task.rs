//! The bus's background tasks: the only place in this crate that spawns. A task keeps the span in which it was spawned.

use std::future::Future;

use tokio::task::JoinHandle;
use tracing::Instrument as _;

/// Runs `future` in the background.
#[expect(clippy::disallowed_methods, reason = "the bus must not depend on telemetry, whose spawn does the same")]
pub(crate) fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    tokio::spawn(future.in_current_span())
}
