//! How a lane is consumed. Plain data: nothing here touches a bus.

use std::time::Duration;

/// Options of consuming a lane.
#[derive(Clone, Debug)]
pub struct ConsumeOptions {
    /// Largest number of messages that the worker holds at a time, started or not.
    pub prefetch: u16,
    /// Number of put-backs without an ack at which a message becomes a dead letter. Must stay below the broker's own
    /// limit, which dead-letters it without a reason.
    pub crash_limit: u32,
    /// Delay until a message whose handler failed is delivered again.
    pub put_back_delay: Duration,
}

impl ConsumeOptions {
    /// Returns the defaults for a pool that runs `concurrency` handlers at once.
    #[must_use]
    pub fn for_concurrency(concurrency: u16) -> Self {
        Self { prefetch: concurrency.saturating_mul(2).max(1), crash_limit: 15, put_back_delay: Duration::from_secs(1) }
    }
}
