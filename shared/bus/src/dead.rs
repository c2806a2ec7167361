//! Dead letters: messages that no handler can process, on their way to the `dead_letters` table.

use keyway_domain::{DeadReason, Lane, MessageId};
use uuid::Uuid;

use crate::{BusError, settle::Ticket};

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
