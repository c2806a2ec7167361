//! Dead letters: messages that no handler can process, on their way to the `dead_letters` table.

use keyway_domain::{DecodeError, Lane, MessageId};
use uuid::Uuid;

use crate::{BusError, settle::Ticket};

/// Reason why a message is dead.
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

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }

    pub(crate) const fn of(error: &DecodeError) -> Self {
        match error {
            DecodeError::Malformed(_) | DecodeError::TooLarge(_) => Self::Malformed,
            DecodeError::UnknownKind(_) => Self::UnknownKind,
            DecodeError::Version(_) => Self::Version,
        }
    }
}

/// A message to file. Dropped without [`Self::ack`], it is delivered again.
#[derive(Debug)]
pub struct DeadLetter {
    /// Lane of the message.
    pub lane: Lane,
    /// Reason.
    pub reason: DeadReason,
    /// Error message.
    pub error: String,
    /// Body, unchanged.
    pub body: Vec<u8>,
    /// Id of the message; derived from the body if the message has none.
    pub message_id: MessageId,
    /// Number of deliveries without an ack.
    pub attempts: u32,
    pub(crate) ticket: Ticket,
}

impl DeadLetter {
    /// Confirms that the letter is filed, so that the bus may forget it.
    ///
    /// # Errors
    /// The letter will come again; file it by its id, once.
    pub async fn ack(self) -> Result<(), BusError> {
        self.ticket.ack().await
    }
}

/// The dead letters of every lane.
#[derive(Debug)]
pub struct DeadLetterStream(pub(crate) flume::Receiver<DeadLetter>);

impl DeadLetterStream {
    /// Returns the next dead letter; `None` once stopped.
    pub async fn next(&mut self) -> Option<DeadLetter> {
        self.0.recv_async().await.ok()
    }
}

/// Derives an id from the bytes of a body without one; equal bytes give the same id.
pub(crate) fn id_of_body(body: &[u8]) -> MessageId {
    MessageId::from_uuid(Uuid::new_v5(&Uuid::NAMESPACE_OID, body))
}
