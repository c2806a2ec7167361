//! The arithmetic of one limit in this process: amounts leased, reserved by calls under way, and used.
//!
//! Plain figures without IO and locks: use never exceeds the leases, except by the one call that was let through alone
//! because less than its bound was left.

use std::time::{Duration, Instant};

use keyway_domain::{Measure, Timestamp};
use keyway_store::limits::{Ask, Lease, Told};

use crate::refusal::exceeded::State;

/// Pause after which an exhausted limit is asked for again: another process may hand a part back.
const PAUSE: Duration = Duration::from_millis(500);
/// Time without a lease, return or report by any process after which missing amounts are lost with a process that died:
/// a live one hands back earlier.
const QUIET: Duration = Duration::from_secs(30);

/// The share of one limit in this process.
pub(super) struct Share {
    measure: Measure,
    limit: i64,
    window_start: Timestamp,
    /// End of the window, by this process' monotonic clock.
    until: Instant,
    /// Amount leased, and neither reserved nor used; negative: used beyond the leases.
    left: i64,
    /// Amount used, and not reported yet.
    used: i64,
    /// Calls under way that have reserved a part.
    in_flight: u32,
    /// Remainder for others, and total use, at the last lease.
    elsewhere: Elsewhere,
    /// Earliest time to ask again.
    ask_again: Instant,
    /// Amount of the last lease.
    granted: i64,
    /// Largest need of a call since the last [`Share::spare`].
    largest: i64,
}

#[derive(Clone, Copy, Default)]
struct Elsewhere {
    left: i64,
    used: i64,
    is_quiet: bool,
}

/// Reservation of one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reserved {
    pub(super) amount: i64,
    window_start: Timestamp,
}

/// State of a call before it is let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The call fits into the leased amount.
    Fits,
    /// Less than the call's bound is left, and no other call is under way.
    Alone,
    /// More must be leased first.
    Short,
    /// Nothing is left for the call.
    Exhausted,
}

impl Share {
    /// Builds a share without a lease.
    pub(super) fn new(measure: Measure, now: Instant) -> Self {
        Self {
            measure,
            limit: 0,
            window_start: Timestamp::default(),
            until: now,
            left: 0,
            used: 0,
            in_flight: 0,
            elsewhere: Elsewhere::default(),
            ask_again: now,
            granted: 0,
            largest: 0,
        }
    }

    /// Returns the state of a call that may use `need` under `limit`.
    pub(super) fn standing(&self, need: i64, limit: i64, now: Instant) -> Standing {
        if now >= self.until || limit != self.limit {
            Standing::Short
        } else if self.left >= need {
            Standing::Fits
        } else if now >= self.ask_again {
            Standing::Short
        } else if self.left > 0 && self.in_flight == 0 && self.measure != Measure::Requests {
            Standing::Alone
        } else {
            Standing::Exhausted
        }
    }

    /// Reserves the bound of a call that [`Share::standing`] lets through.
    pub(super) fn reserve(&mut self, need: i64) -> Reserved {
        let amount = need.min(self.left).max(0);
        self.left -= amount;
        self.in_flight += 1;
        self.largest = self.largest.max(need);
        Reserved { amount, window_start: self.window_start }
    }

    /// Ends a reservation with the real use. A reservation of an earlier window is ignored.
    pub(super) fn settle(&mut self, reserved: Reserved, used: i64) {
        if reserved.window_start == self.window_start {
            self.left = self.left.saturating_add(reserved.amount).saturating_sub(used);
            self.used = self.used.saturating_add(used);
            self.in_flight = self.in_flight.saturating_sub(1);
        }
    }

    /// Returns `true` if more should be leased before a call has to wait for it.
    pub(super) fn is_low(&self, limit: i64, now: Instant) -> bool {
        let may_ask = now >= self.ask_again && now < self.until && limit == self.limit;
        may_ask && self.elsewhere.left > 0 && self.left < self.granted / 4
    }

    /// Builds the request for what a call lacks. The use reported with it is subtracted at once.
    pub(super) fn ask(&mut self, need: i64, limit: i64, now: Instant) -> Ask {
        // Another limit: what was leased under the old one is leased anew.
        let returned = if limit == self.limit { self.left.min(0) } else { self.left };
        let told = self.tell(returned);
        // What is left of a window that is over helps nobody.
        let left = if now < self.until { self.left } else { 0 };
        let missing = need.saturating_sub(left).max(0);
        let partial = self.measure != Measure::Requests && self.in_flight == 0;
        Ask { measure: self.measure, limit, need: missing, partial, told }
    }

    /// Returns the request that hands back what this process does not need; `None`: nothing. `all`: it needs nothing.
    pub(super) fn spare(&mut self, all: bool, now: Instant) -> Option<Ask> {
        let largest = std::mem::take(&mut self.largest);
        if now >= self.until {
            return None;
        }
        // Twice the part that one lease takes is enough to go on with.
        let enough = ((self.left.saturating_add(self.elsewhere.left)) / 8).max(largest);
        let is_idle = all || (largest == 0 && self.in_flight == 0);
        let returned = if is_idle { self.left } else { (self.left - enough).max(0) };
        if returned == 0 && !(is_idle && self.used != 0) {
            return None;
        }
        let told = self.tell(returned);
        Some(Ask { measure: self.measure, limit: self.limit, need: 0, partial: false, told })
    }

    /// Applies the answer to a request.
    pub(super) fn credit(&mut self, ask: &Ask, lease: &Lease, now: Instant) {
        if lease.window.start != self.window_start {
            self.window_start = lease.window.start;
            (self.left, self.used, self.in_flight) = (0, 0, 0);
        }
        self.limit = ask.limit;
        self.until = now + lease.window.end.since(lease.now);
        self.left = self.left.saturating_add(lease.granted);
        self.granted = lease.granted;
        let is_quiet = lease.now.since(lease.changed_at) > QUIET;
        self.elsewhere = Elsewhere { left: lease.left, used: lease.used, is_quiet };
        if ask.need > lease.granted {
            self.ask_again = now + PAUSE;
        }
    }

    /// Restores use whose report failed. Amounts that may have been handed back nevertheless are given up: others may
    /// have them by now.
    pub(super) fn untold(&mut self, ask: &Ask, perhaps_told: bool) {
        let told = &ask.told;
        if told.window_start == self.window_start {
            self.used = self.used.saturating_add(told.used);
            if told.returned < 0 || !perhaps_told {
                self.left = self.left.saturating_add(told.returned);
            }
        }
    }

    /// Returns the state for display.
    pub(super) fn state(&self, now: Instant) -> State {
        State {
            limit: self.limit,
            remaining: self.left.saturating_add(self.elsewhere.left).clamp(0, self.limit.max(0)),
            reset: self.until.saturating_duration_since(now),
            used_up: self.elsewhere.used.saturating_add(self.used) >= self.limit
                || (self.elsewhere.is_quiet && self.in_flight == 0),
        }
    }

    /// Returns the amount leased and not used.
    pub(super) const fn left(&self) -> i64 {
        self.left
    }

    /// Returns `true` if dropping the share loses nothing.
    pub(super) fn is_empty(&self, now: Instant) -> bool {
        now >= self.until || (self.left == 0 && self.used == 0 && self.in_flight == 0)
    }

    fn tell(&mut self, returned: i64) -> Told {
        self.left -= returned;
        Told { window_start: self.window_start, returned, used: std::mem::take(&mut self.used) }
    }
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
