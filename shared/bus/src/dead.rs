//! Dead letters: messages that no handler can be given, on their way to the `dead_letters` table.

use keyway_domain::{DeadReason, Lane, MessageId};
use uuid::Uuid;

use crate::{BusError, settle::Ticket};

/// A message that is to be filed. Dropped without [`Self::ack`], it comes again.
#[derive(Debug)]
pub struct DeadLetter {
    /// The lane it was for.
    pub lane: Lane,
    /// Why it is dead.
    pub reason: DeadReason,
    /// The error in words.
    pub error: String,
    /// The bytes as they came.
    pub body: Vec<u8>,
    /// The message's id; derived from the body where the message has none.
    pub message_id: MessageId,
    /// How often it was delivered in vain.
    pub attempts: u32,
    pub(crate) ticket: Ticket,
}

impl DeadLetter {
    /// It is filed: the bus may forget it.
    ///
    /// # Errors
    /// It will come again; file it by its id, once.
    pub async fn ack(self) -> Result<(), BusError> {
        self.ticket.ack().await
    }
}

/// The dead letters of every lane.
#[derive(Debug)]
pub struct DeadLetterStream(pub(crate) flume::Receiver<DeadLetter>);

impl DeadLetterStream {
    /// The next one; `None` when it was told to stop.
    pub async fn next(&mut self) -> Option<DeadLetter> {
        self.0.recv_async().await.ok()
    }
}

/// The same id for the same bytes, for a body whose sender gave it none.
pub(crate) fn id_of_body(body: &[u8]) -> MessageId {
    MessageId::from_uuid(Uuid::new_v5(&Uuid::NAMESPACE_OID, body))
}
