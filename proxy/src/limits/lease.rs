//! The arithmetic of one limit in this process: what is leased of it, reserved by calls under way, and used.
//!
//! Plain figures without IO and locks: what calls use never exceeds what was leased, except by the one call that
//! was let through alone because more than nothing but less than its bound was left.

use std::time::{Duration, Instant};

use keyway_domain::{Measure, Timestamp};
use keyway_store::limits::{Ask, Lease, Told};

use crate::refusal::exceeded::State;

/// How long a limit that had nothing left is not asked for again: others may hand something back.
const PAUSE: Duration = Duration::from_millis(500);
/// When nobody has leased, handed back or told anything for so long, what is out has gone with a process that
/// died: whoever lives and needs it no more hands it back sooner.
const QUIET: Duration = Duration::from_secs(30);

/// One limit in this process.
pub(super) struct Share {
    measure: Measure,
    limit: i64,
    window_start: Timestamp,
    /// When the window ends, by this process' steady clock.
    until: Instant,
    /// Leased, and neither reserved nor used; negative: used beyond what was leased.
    left: i64,
    /// Used, and not told yet.
    used: i64,
    /// Calls under way that have reserved some of it.
    in_flight: u32,
    /// What was left for others, and used by all, when it was last asked for.
    elsewhere: Elsewhere,
    /// Not before then there is anything to be had.
    ask_again: Instant,
    /// What the last lease brought.
    granted: i64,
    /// The most that a call needed since [`Share::spare`] last looked.
    largest: i64,
}

#[derive(Clone, Copy, Default)]
struct Elsewhere {
    left: i64,
    used: i64,
    is_quiet: bool,
}

/// What one call has reserved.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reserved {
    pub(super) amount: i64,
    window_start: Timestamp,
}

/// Whether a call can be let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It fits into what is leased.
    Fits,
    /// Less than its bound is left, and no other call is under way.
    Alone,
    /// More has to be leased first.
    Short,
    /// Nothing is left for it.
    Exhausted,
}

impl Share {
    /// Nothing leased yet.
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

    /// Where a call stands that may use `need` under `limit`.
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

    /// Reserves what a call that [`Share::standing`] lets through may use.
    pub(super) fn reserve(&mut self, need: i64) -> Reserved {
        let amount = need.min(self.left).max(0);
        self.left -= amount;
        self.in_flight += 1;
        self.largest = self.largest.max(need);
        Reserved { amount, window_start: self.window_start }
    }

    /// Ends a reservation: `used` was really used. What was reserved in a window that is over does not matter.
    pub(super) fn settle(&mut self, reserved: Reserved, used: i64) {
        if reserved.window_start == self.window_start {
            self.left = self.left.saturating_add(reserved.amount).saturating_sub(used);
            self.used = self.used.saturating_add(used);
            self.in_flight = self.in_flight.saturating_sub(1);
        }
    }

    /// Whether more should be leased before a call has to wait for it.
    pub(super) fn is_low(&self, limit: i64, now: Instant) -> bool {
        let may_ask = now >= self.ask_again && now < self.until && limit == self.limit;
        may_ask && self.elsewhere.left > 0 && self.left < self.granted / 4
    }

    /// What to ask for, so that a call can be let through. What is told with it is taken off at once.
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

    /// What a process that has more than it needs hands back; `None`: nothing. `all`: it needs nothing.
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

    /// What an ask brought.
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

    /// Takes back what could not be told. What may have been handed back all the same is given up: others may
    /// have it by now.
    pub(super) fn untold(&mut self, ask: &Ask, perhaps_told: bool) {
        let told = &ask.told;
        if told.window_start == self.window_start {
            self.used = self.used.saturating_add(told.used);
            if told.returned < 0 || !perhaps_told {
                self.left = self.left.saturating_add(told.returned);
            }
        }
    }

    /// Where it stands.
    pub(super) fn state(&self, now: Instant) -> State {
        State {
            limit: self.limit,
            remaining: self.left.saturating_add(self.elsewhere.left).clamp(0, self.limit.max(0)),
            reset: self.until.saturating_duration_since(now),
            used_up: self.elsewhere.used.saturating_add(self.used) >= self.limit
                || (self.elsewhere.is_quiet && self.in_flight == 0),
        }
    }

    /// What is leased and not used.
    pub(super) const fn left(&self) -> i64 {
        self.left
    }

    /// Whether nothing would be lost with it.
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
