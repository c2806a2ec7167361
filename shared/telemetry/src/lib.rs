//! Telemetry: log output, every metric, the ops listener, and the one place that spawns tasks, from any runtime into
//! the process' own.
//!
//! Metric labels are closed sets (lane, outcome, provider kind ...), never ids, models or free text.

mod failpoint;
mod home;
mod logs;
mod metrics;
mod once_a_minute;
mod ops;
mod task;

pub use failpoint::{failpoint, fails};
pub use home::Home;
pub use logs::{LogFormat, LogSettings, TelemetryError, init};
pub use metrics::{Metrics, metrics};
pub use once_a_minute::OnceAMinute;
pub use ops::{Readiness, serve};
pub use task::spawn;
