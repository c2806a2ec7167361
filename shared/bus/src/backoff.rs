//! Pauses between attempts to reach the broker or the journal.

use std::time::Duration;

/// Doubling pauses up to a limit, jittered in their upper half so that processes do not march in step.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    limit: Duration,
    doublings: u32,
}

impl Backoff {
    pub(crate) const fn new(first: Duration, limit: Duration) -> Self {
        Self { first, limit, doublings: 0 }
    }

    pub(crate) const fn reset(&mut self) {
        self.doublings = 0;
    }

    pub(crate) fn next_pause(&mut self) -> Duration {
        let full = self.first.saturating_mul(1 << self.doublings.min(16)).min(self.limit);
        self.doublings = self.doublings.saturating_add(1);
        full.mul_f64(0.5 + 0.5 * fastrand::f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_limit_and_start_over_after_a_success() {
        let limit = Duration::from_secs(2);
        let mut backoff = Backoff::new(Duration::from_millis(100), limit);
        let pauses: Vec<_> = (0..40).map(|_| backoff.next_pause()).collect();
        assert!(pauses[0] <= Duration::from_millis(100));
        assert!(pauses.iter().all(|pause| *pause <= limit));
        assert!(pauses[20..].iter().all(|pause| *pause >= limit / 2));
        backoff.reset();
        assert!(backoff.next_pause() <= Duration::from_millis(100));
    }
}
