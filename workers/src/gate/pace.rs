//! The pace at which a provider takes calls, and the time at which a postponed job finds a place.
//!
//! Must never read a clock: the time is an argument.

use std::time::{Duration, Instant};

/// Longest delay of a postponed job; jobs beyond it are spread over its upper half.
const LONGEST: Duration = Duration::from_secs(300);
/// Weight of a new measurement.
const WEIGHT: f64 = 0.1;
/// Factor by which jobs return a little sooner than places are likely to be free, so that none stays empty.
const EAGER: f64 = 0.9;

/// The pace of one line.
#[derive(Debug)]
pub(super) struct Pace {
    at_once: f64,
    /// Smoothed duration of one call, in seconds.
    call_seconds: f64,
    /// Time at which the last call ended, or the first one of an empty line began.
    moved: Instant,
    /// Time given to the job that was postponed last.
    reserved: Instant,
}

impl Pace {
    pub(super) fn new(at_once: u16, now: Instant) -> Self {
        Self { at_once: f64::from(at_once), call_seconds: 0.1, moved: now, reserved: now }
    }

    /// Notes that a call began while no other was under way.
    pub(super) fn began(&mut self, now: Instant) {
        self.moved = now;
    }

    /// Notes that a call ended.
    pub(super) fn ended(&mut self, now: Instant, took: Duration) {
        self.call_seconds += WEIGHT * (took.as_secs_f64() - self.call_seconds);
        self.moved = now;
    }

    /// Returns the expected wait of the job at `position` in the line, from 1.
    pub(super) fn wait(&self, position: u32, now: Instant) -> Duration {
        Duration::from_secs_f64(self.seconds(now) * f64::from(position) / self.at_once)
    }

    /// Returns the delay of a postponed job: each gets a time of its own, at the pace of the provider. `jitter` is 0 to
    /// 1.
    pub(super) fn reserve(&mut self, now: Instant, jitter: f64) -> Duration {
        let seconds = self.seconds(now);
        let next = self.reserved + Duration::from_secs_f64(EAGER * seconds / self.at_once);
        self.reserved = next.max(now + Duration::from_secs_f64(seconds));
        let after = self.reserved.saturating_duration_since(now);
        if after <= LONGEST {
            return after;
        }
        // Whoever finds no place then is put off once more; the line itself begins anew.
        self.reserved = now + LONGEST;
        LONGEST.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0))
    }

    /// Returns the duration of one call in seconds: the measured one, or the time since the last end, if longer.
    fn seconds(&self, now: Instant) -> f64 {
        self.call_seconds.max(now.saturating_duration_since(self.moved).as_secs_f64()).max(0.001)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(at_once: u16, call: Duration) -> (Pace, Instant) {
        let start = Instant::now();
        let mut pace = Pace::new(at_once, start);
        (0..200).for_each(|_| pace.ended(start, call));
        (pace, start)
    }

    #[test]
    fn places_are_given_at_the_pace_of_the_provider() {
        let (mut pace, start) = measured(10, Duration::from_secs(1));
        let given: Vec<_> = (0..100).map(|_| pace.reserve(start, 0.0).as_secs_f64()).collect();
        assert!(given.is_sorted());
        assert!((given[0] - 1.0).abs() < 0.01, "{}", given[0]);
        // 99 more places of a tenth of a second each, a little early.
        assert!((given[99] - given[0] - 99.0 * 0.1 * EAGER).abs() < 0.01, "{}", given[99]);
    }

    #[test]
    fn nobody_is_put_off_for_ever_and_they_do_not_return_all_at_once() {
        let (mut pace, start) = measured(1, Duration::from_secs(30));
        let given: Vec<_> = (0..1000).map(|at| pace.reserve(start, f64::from(at % 100) / 100.0)).collect();
        assert!(given.iter().all(|after| *after <= LONGEST));
        let late = &given[20..];
        assert!(late.iter().all(|after| *after >= LONGEST / 2));
        assert!(late.iter().filter(|after| **after < LONGEST.mul_f64(0.75)).count() > late.len() / 3);
    }

    #[test]
    fn a_provider_that_hangs_is_slow_before_it_has_answered() {
        let (pace, start) = measured(10, Duration::from_millis(50));
        assert!(pace.wait(10, start) < Duration::from_millis(60));
        assert!(pace.wait(10, start + Duration::from_secs(5)) >= Duration::from_secs(5));
    }
}
