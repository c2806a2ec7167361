//! Waits while our own infrastructure is away: the message is kept, no attempt is burned, and there is no hot loop of
//! nacks.

use std::{future::Future, time::Duration};

use keyway_telemetry::metrics;

use crate::HandlerError;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);

/// Runs `attempt` again until its result is not [`HandlerError::Unavailable`]. Dropping the future (a worker that
/// stops) ends the waiting; the message is then delivered again.
pub(crate) async fn until_well<T, F: Future<Output = Result<T, HandlerError>>>(
    what: &str,
    attempt: impl Fn() -> F,
) -> Result<T, HandlerError> {
    let mut pause = FIRST;
    loop {
        match attempt().await {
            Err(HandlerError::Unavailable(why)) => {
                metrics().infrastructure_waits.with_label_values(&[what]).inc();
                tracing::warn!(what, why, pause_ms = pause.as_millis(), "waiting for our own infrastructure");
                tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
                pause = (pause * 2).min(LONGEST);
            }
            result => return result,
        }
    }
}
