//! Outcomes: the return value of a handler. A handler never sleeps, loops on retry or spawns: it returns an outcome.

use std::time::Duration;

use crate::{Code, Command, Event};

/// Result of one attempt of a command. Failures of our own infrastructure (database, broker) are not outcomes: the
/// worker keeps the message and waits.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The effect is in place; the events tell the rest of the system.
    Done(Vec<Event>),
    /// Inconclusive: another attempt is due, after `after` at the earliest (`None`: the policy's own delay).
    Retry {
        /// Reason, shown in the operation's error field until the next attempt.
        code: Code,
        /// Delay that the provider asked for, already clamped.
        after: Option<Duration>,
        /// Command of the next attempt, if it differs from this one.
        next: Option<Command>,
        /// Events for the findings of this attempt.
        events: Vec<Event>,
    },
    /// The provider was not called, because its concurrency limit is reached or it keeps failing: the same attempt runs
    /// again after `after`.
    Postponed {
        /// Reason.
        code: Code,
        /// Estimated time until the provider has room.
        after: Duration,
    },
    /// No further attempt can help.
    Failed {
        /// Reason.
        code: Code,
        /// Events for the findings of this attempt.
        events: Vec<Event>,
    },
}

impl Outcome {
    /// Returns the label in metrics and logs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Done(_) => "done",
            Self::Retry { .. } => "retry",
            Self::Postponed { .. } => "postponed",
            Self::Failed { .. } => "failed",
        }
    }
}
