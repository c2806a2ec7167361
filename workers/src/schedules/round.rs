//! A round of a schedule. Plain data.

use std::time::Duration;

use keyway_domain::Timestamp;

pub(super) const HOUR: Duration = Duration::from_secs(3600);
/// Rows of one transaction.
pub(super) const SLICE: u64 = 500;

/// A round, by the clock that all workers share.
#[derive(Clone, Copy)]
pub(super) struct Round {
    /// Its start.
    pub(super) at: Timestamp,
    /// The time now.
    pub(super) now: Timestamp,
}
