//! Lines of the log that a fault would repeat with every call: one a minute passes, with the number of those held back.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

const SECONDS: u64 = 60;

/// The lines of one place in the code.
#[derive(Default)]
pub struct OnceAMinute {
    /// Second of the process from which on one may pass.
    next: AtomicU64,
    held_back: AtomicU64,
}

impl OnceAMinute {
    /// Lets the first line pass.
    #[must_use]
    pub const fn new() -> Self {
        Self { next: AtomicU64::new(0), held_back: AtomicU64::new(0) }
    }

    /// Returns the number of lines held back since the last one that passed; `None`: this one is held back, too.
    pub fn passes(&self) -> Option<u64> {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        self.passes_at(START.elapsed().as_secs())
    }

    fn passes_at(&self, second: u64) -> Option<u64> {
        let due = |next| (second >= next).then_some(second + SECONDS);
        if self.next.fetch_update(Relaxed, Relaxed, due).is_err() {
            self.held_back.fetch_add(1, Relaxed);
            return None;
        }
        Some(self.held_back.swap(0, Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_minute_passes_with_the_number_of_the_others() {
        let lines = OnceAMinute::new();
        let passed: Vec<_> = [0, 0, 30, 59, 60, 61, 500].map(|second| lines.passes_at(second)).into();
        assert_eq!(passed, [Some(0), None, None, None, Some(3), None, Some(1)]);
    }
}
