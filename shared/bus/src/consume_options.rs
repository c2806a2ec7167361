//! How a lane is consumed. Plain data: nothing here touches a bus.

use std::time::Duration;

/// How a lane is consumed.
#[derive(Clone, Debug)]
pub struct ConsumeOptions {
    /// How many messages the worker may hold at a time, started or not.
    pub prefetch: u16,
    /// A message that was put back this often without being acked is a dead letter. Must stay below the
    /// broker's own limit, which files it without a reason.
    pub crash_limit: u32,
    /// How long a message that a handler failed on or dropped rests before it is delivered again.
    pub put_back_delay: Duration,
}

impl ConsumeOptions {
    /// The defaults for a pool that runs `concurrency` handlers at once.
    #[must_use]
    pub fn for_concurrency(concurrency: u16) -> Self {
        Self { prefetch: concurrency.saturating_mul(2).max(1), crash_limit: 15, put_back_delay: Duration::from_secs(1) }
    }
}
