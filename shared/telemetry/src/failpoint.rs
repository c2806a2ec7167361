//! Places at which a test may break this process on purpose. Empty in ordinary builds.
//!
//! With the feature `failpoints`, the variable `FAILPOINTS` sets an action per place: `relay.claimed=3*off->return`
//! kills the process at the fourth batch, `status.before_commit=10%sleep(500)` stalls one commit in ten,
//! `handler.before_effect=1*panic` panics once.

/// Reads the actions from `FAILPOINTS`. Must be called once, before any place is reached.
#[cfg(feature = "failpoints")]
pub(crate) fn activate() {
    static ACTIVE: std::sync::Once = std::sync::Once::new();
    // Dropping the scenario would end it.
    ACTIVE.call_once(|| std::mem::forget(fail::FailScenario::setup()));
}

/// Marks a step. `return` kills the process there as `kill -9` would: nothing is flushed, nothing unwinds.
#[cfg(feature = "failpoints")]
pub fn failpoint(name: &'static str) {
    use rustix::process::{Signal, getpid, kill_process};
    fail::eval(name, |_| kill_process(getpid(), Signal::KILL).is_ok());
}

/// Marks a step; does nothing in this build.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub const fn failpoint(_name: &'static str) {}

/// Returns `true` where a step has to fail: its action is `return`.
#[cfg(feature = "failpoints")]
pub fn fails(name: &'static str) -> bool {
    fail::eval(name, |_| ()).is_some()
}

/// Returns `false` in this build.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
#[must_use]
pub const fn fails(_name: &'static str) -> bool {
    false
}
