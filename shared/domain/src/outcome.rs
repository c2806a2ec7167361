//! What a handler returns. A handler never sleeps, loops on retry or spawns: it returns an outcome.

use std::time::Duration;

use crate::{Code, Command, Event};

/// How one attempt of a command ended. Failures of our own infrastructure (database, broker) are
/// not outcomes: the worker keeps the message and waits.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The effect is in place; these events tell the rest of the system.
    Done(Vec<Event>),
    /// Inconclusive: another attempt, not before `after` (`None`: the policy's own delay).
    Retry {
        /// Why, for the operation's error field until the next attempt.
        code: Code,
        /// What the provider asked for, already clamped.
        after: Option<Duration>,
        /// What the next attempt is to do, when it differs from this one.
        next: Option<Command>,
        /// What this attempt did find out.
        events: Vec<Event>,
    },
    /// The provider was not called, because it has as many calls as it may have at once, or keeps failing: the same
    /// attempt again, after this long.
    Postponed {
        /// Why.
        code: Code,
        /// When there will be room, as far as can be said.
        after: Duration,
    },
    /// No further attempt can help.
    Failed {
        /// Why.
        code: Code,
        /// What this attempt did find out.
        events: Vec<Event>,
    },
}

impl Outcome {
    /// The label in metrics and logs.
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
