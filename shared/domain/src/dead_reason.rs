//! Reasons for which a message is no handler's: how they are called in tables, headers and metrics.

use crate::message::DecodeError;

/// The cause of a message's death.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadReason {
    /// The body is not a message.
    Malformed,
    /// The body's kind is unknown to this build.
    UnknownKind,
    /// The body was written by a newer build.
    Version,
    /// The message was put back too often.
    Crashed,
    /// The broker gave the message up before a worker could name a reason.
    Broker,
}

impl DeadReason {
    /// All reasons, for metrics.
    pub const ALL: [Self; 5] = [Self::Malformed, Self::UnknownKind, Self::Version, Self::Crashed, Self::Broker];
    /// Reasons that only say that this build cannot read the message: another build may.
    pub const UNREAD: [Self; 3] = [Self::Malformed, Self::UnknownKind, Self::Version];

    /// Returns the text in tables, headers and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownKind => "unknown_kind",
            Self::Version => "version",
            Self::Crashed => "crashed",
            Self::Broker => "broker",
        }
    }

    /// Reads the text of [`Self::name`].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// Finds the reason for a body that this build cannot read.
    #[must_use]
    pub const fn of(error: &DecodeError) -> Self {
        match error {
            DecodeError::Malformed(_) | DecodeError::TooLarge(_) => Self::Malformed,
            DecodeError::UnknownKind(_) => Self::UnknownKind,
            DecodeError::Version(_) => Self::Version,
        }
    }
}
