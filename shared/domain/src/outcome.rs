//! Outcomes: the return value of a handler. A handler never sleeps, loops on retry or spawns: it returns an outcome.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Command, Event};

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

/// Reason why an attempt did not succeed: a closed list, stored, counted and shown. Each code has a sentence that tells
/// the reader what to do; no provider text is ever stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The first of two probes found the key or its address wrong; the second is due.
    ConfirmationDue,
    /// The provider asked to wait, or its concurrency limit is reached.
    RateLimited,
    /// The provider could not be reached, or answered 5xx.
    Unreachable,
    /// The provider's answer does not have its documented shape.
    BadAnswer,
    /// The provider refused this secret for this call.
    Refused,
    /// The sealed secret cannot be opened.
    Undecryptable,
    /// The integration was deleted or disabled meanwhile.
    Gone,
    /// The handler exceeded its deadline.
    TimedOut,
    /// The handler panicked; a defect of ours.
    Panicked,
    /// The last allowed attempt was inconclusive.
    AttemptsExhausted,
    /// A live replica did not acknowledge that it dropped the revoked entries.
    ReplicaSilent,
    /// The secret that was to replace another one was not accepted.
    NewKeyRefused,
}

impl Code {
    /// Every code, for documents.
    pub const ALL: [Self; 12] = [
        Self::ConfirmationDue,
        Self::RateLimited,
        Self::Unreachable,
        Self::BadAnswer,
        Self::Refused,
        Self::Undecryptable,
        Self::Gone,
        Self::TimedOut,
        Self::Panicked,
        Self::AttemptsExhausted,
        Self::ReplicaSilent,
        Self::NewKeyRefused,
    ];

    /// Returns the text in tables, JSON and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConfirmationDue => "confirmation_due",
            Self::RateLimited => "rate_limited",
            Self::Unreachable => "unreachable",
            Self::BadAnswer => "bad_answer",
            Self::Refused => "refused",
            Self::Undecryptable => "undecryptable",
            Self::Gone => "gone",
            Self::TimedOut => "timed_out",
            Self::Panicked => "panicked",
            Self::AttemptsExhausted => "attempts_exhausted",
            Self::ReplicaSilent => "replica_silent",
            Self::NewKeyRefused => "new_key_refused",
        }
    }

    /// Reads [`Self::name`].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.name() == name)
    }

    /// Returns one sentence for the reader: what happened and what to do.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::ConfirmationDue => "the provider did not take the key once; a second, independent check is due",
            Self::RateLimited => "the provider takes no more calls at the moment; the next attempt is scheduled",
            Self::Unreachable => "the provider could not be reached; the key is verified as soon as it answers",
            Self::BadAnswer => "the provider's answer was not in its documented form",
            Self::Refused => "the provider does not allow this call with this key; check the key's permissions",
            Self::Undecryptable => "the stored secret cannot be opened; check the keyring or enter the secret again",
            Self::Gone => "the integration was deleted or disabled before this ran",
            Self::TimedOut => "the attempt took too long and was ended",
            Self::Panicked => "the attempt hit a defect in Keyway; the log has the details",
            Self::AttemptsExhausted => {
                "every allowed attempt was inconclusive; start it again when the provider is well"
            }
            Self::ReplicaSilent => {
                "a replica did not say that it has dropped what was revoked; it serves nothing from memory for longer \
                 than a minute, but look into its log, and try the operation again"
            }
            Self::NewKeyRefused => {
                "the new key was not accepted and is not kept; the one before it goes on serving: enter the right key, \
                 or replace it unchecked with `?force=true`"
            }
        }
    }
}
