//! The arithmetic of leases against a model of the database, by many random sequences.

use std::time::{Duration, Instant};

use keyway_domain::{LimitWindow, Measure, Timestamp};
use keyway_store::limits::{Ask, Lease};

use super::{Reserved, Share, Standing};

/// Row of the database.
struct Row {
    limit: i64,
    granted: i64,
    used: i64,
}

/// One process with its calls under way: their reservations, and their bounds.
struct Process {
    share: Share,
    calls: Vec<(Reserved, i64)>,
}

const START: Timestamp = Timestamp::from_ms(60_000);

impl Row {
    fn answer(&mut self, ask: &Ask) -> Lease {
        if ask.told.window_start == START {
            self.granted -= ask.told.returned;
            self.used += ask.told.used;
        }
        let left = self.limit - self.granted;
        let granted = match left {
            ..=0 => 0,
            _ if ask.need == 0 => 0,
            _ if left >= ask.need => ask.need.max(left / 16),
            _ if ask.partial => left,
            _ => 0,
        };
        self.granted += granted;
        let window = LimitWindow { start: START, end: START.after(Duration::from_secs(3600)) };
        Lease {
            measure: ask.measure,
            granted,
            left: self.limit - self.granted,
            used: self.used,
            window,
            now: START,
            changed_at: START,
        }
    }
}

impl Process {
    fn new(measure: Measure, now: Instant) -> Self {
        Self { share: Share::new(measure, now), calls: Vec::new() }
    }

    /// Lets a call through if it may pass.
    fn call(&mut self, need: i64, row: &mut Row, now: Instant) -> bool {
        if self.share.standing(need, row.limit, now) == Standing::Short {
            let ask = self.share.ask(need, row.limit, now);
            let lease = row.answer(&ask);
            self.share.credit(&ask, &lease, now);
        }
        let passes = matches!(self.share.standing(need, row.limit, now), Standing::Fits | Standing::Alone);
        if passes {
            self.calls.push((self.share.reserve(need), need));
        }
        if self.share.is_low(row.limit, now) {
            let ask = self.share.ask(self.share.left() + 1, row.limit, now);
            let lease = row.answer(&ask);
            self.share.credit(&ask, &lease, now);
        }
        passes
    }
}

/// Sums the use of calls while processes come, call, hand back and die. Returns the use, and the most by which one call
/// of each process can exceed the limit.
fn run(measure: Measure, seed: u64, limit: i64) -> (i64, i64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut now = Instant::now();
    let mut row = Row { limit, granted: 0, used: 0 };
    let mut processes: Vec<_> = (0..3).map(|_| Process::new(measure, now)).collect();
    let (mut used, mut beyond) = (0, 3 * 50);
    for _ in 0..3000 {
        now += Duration::from_millis(random.u64(0..200));
        let at = random.usize(0..processes.len());
        let process = &mut processes[at];
        match random.u8(0..20) {
            0..10 => {
                let need = if measure == Measure::Requests { 1 } else { random.i64(0..50) };
                process.call(need, &mut row, now);
            }
            10..18 if !process.calls.is_empty() => {
                let (reserved, need) = process.calls.swap_remove(random.usize(0..process.calls.len()));
                let really = if measure == Measure::Requests { 1 } else { random.i64(0..=need) };
                process.share.settle(reserved, really);
                used += really;
            }
            18 => {
                if let Some(ask) = process.share.spare(random.bool(), now) {
                    row.answer(&ask);
                }
            }
            19 if random.u8(0..40) == 0 => {
                // Killed: its calls used what they used, its lease is gone, and another one starts.
                used += process.calls.iter().map(|(_, need)| need).sum::<i64>();
                beyond += 50;
                *process = Process::new(measure, now);
            }
            _ => {}
        }
    }
    used += processes.iter().flat_map(|process| &process.calls).map(|(_, need)| need).sum::<i64>();
    (used, beyond)
}

#[test]
fn requests_never_pass_a_limit() {
    for seed in 0..200 {
        let (used, _) = run(Measure::Requests, seed, 300);
        assert!(used <= 300, "seed {seed}: {used}");
        assert!(used >= 150, "seed {seed}: only {used} of 300 passed");
    }
}

#[test]
fn amounts_pass_a_limit_by_one_call_of_each_process_at_most() {
    for seed in 0..200 {
        for measure in [Measure::Tokens, Measure::DailyBudget] {
            let (used, beyond) = run(measure, seed, 5000);
            assert!(used <= 5000 + beyond, "seed {seed}: {used}");
            assert!(used >= 3000, "seed {seed}: only {used} of 5000 passed");
        }
    }
}

#[test]
fn less_than_a_bound_lets_one_call_through_alone_and_what_it_owes_is_told() {
    let now = Instant::now();
    let mut row = Row { limit: 10, granted: 0, used: 0 };
    let mut process = Process::new(Measure::Tokens, now);
    assert!(process.call(25, &mut row, now), "alone");
    assert!(!process.call(1, &mut row, now), "nothing is left beside it");
    let (reserved, _) = process.calls.remove(0);
    assert_eq!(reserved.amount, 10);
    process.share.settle(reserved, 22);
    assert!(!process.call(1, &mut row, now));
    let later = now + Duration::from_secs(1);
    assert!(!process.call(1, &mut row, later), "what was used beyond the limit is owed");
    assert_eq!((row.granted, row.used), (22, 22));
    assert!(process.share.state(later).used_up);
    // Another limit holds from the next call on.
    row.limit = 40;
    assert!(process.call(18, &mut row, later));
    assert!(!process.call(1, &mut row, later));
}

#[test]
fn what_could_not_be_told_is_told_again_and_never_handed_back_twice() {
    let now = Instant::now();
    let mut row = Row { limit: 160, granted: 0, used: 0 };
    let mut process = Process::new(Measure::Tokens, now);
    assert!(process.call(3, &mut row, now));
    let (reserved, _) = process.calls.remove(0);
    process.share.settle(reserved, 3);
    assert_eq!(process.share.left(), 7);
    let later = now + Duration::from_secs(1);
    let lost = process.share.spare(true, later).unwrap();
    process.share.untold(&lost, false);
    assert_eq!(process.share.left(), 7, "surely not told");
    let unclear = process.share.spare(true, later).unwrap();
    assert_eq!((unclear.told.returned, unclear.told.used), (7, 3));
    process.share.untold(&unclear, true);
    assert_eq!(process.share.left(), 0, "perhaps told: others may have it");
}

#[test]
fn a_window_that_ended_takes_its_lease_and_its_calls_with_it() {
    let now = Instant::now();
    let mut row = Row { limit: 160, granted: 0, used: 0 };
    let mut process = Process::new(Measure::Tokens, now);
    assert!(process.call(3, &mut row, now));
    let next = now + Duration::from_secs(3600);
    assert_eq!(process.share.standing(1, 160, next), Standing::Short);
    let ask = process.share.ask(1, 160, next);
    assert_eq!(ask.need, 1, "what is left of the old window does not help");
    let window =
        LimitWindow { start: START.after(Duration::from_secs(3600)), end: START.after(Duration::from_secs(7200)) };
    let lease = Lease {
        measure: Measure::Tokens,
        granted: 10,
        left: 150,
        used: 0,
        window,
        now: window.start,
        changed_at: window.start,
    };
    process.share.credit(&ask, &lease, next);
    let (reserved, _) = process.calls.remove(0);
    process.share.settle(reserved, 3);
    assert_eq!(process.share.left(), 10);
}
