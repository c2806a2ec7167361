//! Looks at queues that may be missing. Declares nothing.

use lapin::{Channel, Connection, ErrorKind, options::QueueDeclareOptions, types::FieldTable};

use crate::BusError;

const NOT_FOUND: u16 = 404;

/// Looks at one queue after the other, over a channel that nothing else uses: the broker closes it on the first that
/// is missing, and the next look opens another.
pub(crate) struct Looks<'a> {
    connection: &'a Connection,
    channel: Option<Channel>,
}

impl<'a> Looks<'a> {
    /// Opens nothing yet.
    pub(crate) const fn new(connection: &'a Connection) -> Self {
        Self { connection, channel: None }
    }

    /// Whether there is no such queue.
    ///
    /// # Errors
    /// The connection failed.
    pub(crate) async fn is_missing(&mut self, queue: &str) -> Result<bool, BusError> {
        // Until the broker has answered, nobody knows whether it is still good for another look.
        let channel = match self.channel.take() {
            Some(channel) => channel,
            None => self.connection.create_channel().await?,
        };
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        match channel.queue_declare(queue.into(), options, FieldTable::default()).await {
            Ok(_) => {
                self.channel = Some(channel);
                Ok(false)
            }
            Err(error) if self.connection.status().connected() => Ok(is_not_found(&error)),
            Err(error) => Err(error.into()),
        }
    }

    /// Closes the channel; if that fails, the connection is going too.
    pub(crate) async fn close(self) {
        if let Some(channel) = self.channel {
            let _ = channel.close(200, "looked".into()).await;
        }
    }
}

fn is_not_found(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(reply) if reply.get_id() == NOT_FOUND)
}
