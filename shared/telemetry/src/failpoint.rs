//! Places where a test may break this process on purpose. In ordinary builds there is nothing here.
//!
//! Built with the feature `failpoints`, the variable `FAILPOINTS` says what happens where:
//! `relay.claimed=3*off->return` kills the process at the fourth batch, `status.before_commit=10%sleep(500)`
//! stalls it now and then, `handler.before_effect=1*panic` panics once.

/// Reads what is to happen. Called once, before anything can be hit.
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
