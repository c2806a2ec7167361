//! The circuit breaker of one host: after some failures in a row no job calls it for a while, then one tries.
//!
//! Must never read a clock: the time is an argument.

use std::time::{Duration, Instant};

/// Number of failures in a row that open the breaker.
const FAILURES: u32 = 5;
/// Time for which the breaker is open at first; doubles with each trial that fails.
const FIRST: Duration = Duration::from_secs(5);
/// Longest time for which the breaker is open, so that waiting jobs notice soon that the provider is back.
const LONGEST: Duration = Duration::from_secs(15);
/// Time for which other jobs are turned away while one tries.
const TRIAL: Duration = Duration::from_secs(5);

/// Failures of one host. Dropped when the host answers.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    /// Number of failed trials, and the time until which the breaker is open; `None`: closed.
    open: Option<(u32, Instant)>,
}

impl Breaker {
    /// Returns the time for which no call may pass; `None` if calls may pass.
    pub(super) fn closed_for(&self, now: Instant) -> Option<Duration> {
        let (_, until) = self.open?;
        Some(until.saturating_duration_since(now)).filter(|left| !left.is_zero())
    }

    /// Lets a call through and returns `true` if it is the trial; or returns the time for which no call may pass.
    pub(super) fn call(&mut self, now: Instant) -> Result<bool, Duration> {
        if let Some(left) = self.closed_for(now) {
            return Err(left);
        }
        let Some((_, until)) = &mut self.open else { return Ok(false) };
        // A trial that never reports (its process was stopped) is followed by another one.
        *until = now + TRIAL;
        Ok(true)
    }

    /// Notes a failure. Returns `true` if this one opened the breaker.
    pub(super) fn failed(&mut self, now: Instant, trial: bool, jitter: f64) -> bool {
        self.failures = self.failures.saturating_add(1);
        let times = match self.open {
            // Calls that had begun before it opened say nothing new.
            Some(_) if !trial => return false,
            Some((times, _)) => times + 1,
            None if self.failures < FAILURES => return false,
            None => 0,
        };
        let full = FIRST.saturating_mul(1 << times.min(16)).min(LONGEST);
        let opened = self.open.is_none();
        self.open = Some((times, now + full.mul_f64(0.75 + 0.25 * jitter.clamp(0.0, 1.0))));
        opened
    }

    pub(super) const fn is_open(&self) -> bool {
        self.open.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_failures_in_a_row_lets_one_try_and_doubles() {
        let (mut breaker, start) = (Breaker::default(), Instant::now());
        for _ in 1..FAILURES {
            assert!(!breaker.failed(start, false, 1.0));
            assert_eq!(breaker.call(start), Ok(false));
        }
        assert!(breaker.failed(start, false, 1.0));
        assert_eq!(breaker.closed_for(start), Some(FIRST));
        assert!(!breaker.failed(start + FIRST / 2, false, 1.0), "a call from before");
        assert_eq!(breaker.call(start + FIRST / 2), Err(FIRST / 2));
        let mut now = start + FIRST;
        for times in 1..10 {
            assert_eq!(breaker.call(now), Ok(true));
            assert_eq!(breaker.call(now), Err(TRIAL), "two trials at once");
            assert!(!breaker.failed(now, true, 1.0), "it was open already");
            let left = breaker.closed_for(now).unwrap();
            assert_eq!(left, (FIRST * (1 << times)).min(LONGEST));
            now += left;
        }
    }

    #[test]
    fn a_trial_that_never_ends_is_followed_by_another() {
        let (mut breaker, start) = (Breaker::default(), Instant::now());
        assert!((0..FAILURES).any(|_| breaker.failed(start, false, 0.0)));
        let now = start + FIRST;
        assert_eq!(breaker.call(now), Ok(true));
        assert_eq!(breaker.call(now + TRIAL), Ok(true));
    }
}
