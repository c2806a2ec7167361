//! Errors of the bus, by the caller's remedy.

use keyway_domain::{DecodeError, Lane};

/// An error of the bus.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum BusError {
    /// The setting is no address of a broker: correct it.
    #[error("the broker's address (KEYWAY_AMQP_URL) cannot be used: {0}")]
    Address(&'static str),
    /// There is no connection to the broker; the bus reconnects by itself, try again.
    #[error("the broker is not connected: {0}")]
    Disconnected(String),
    /// No confirm came in time, for the given reason: the broker may or may not have the message. Publish the same
    /// message again; if it repeats, look at the broker.
    #[error("whether the broker has the message is unknown, it is to be published again: {0}")]
    Unconfirmed(String),
    /// The broker refused the message, because the lane's queue is full; try again later.
    #[error("the broker refused the message, its queue is full")]
    Refused,
    /// No queue takes messages of this route even after declaring it; an operator has to look at the broker.
    #[error("no queue is bound for {0}")]
    Unroutable(&'static str),
    /// A queue or exchange exists with other arguments; an operator has to delete it, then it is declared anew.
    #[error("{name} exists with other arguments than Keyway declares, delete it on the broker: {reply}")]
    Topology {
        /// Name of the queue or exchange.
        name: String,
        /// Reply of the broker.
        reply: String,
    },
    /// The embedded lane is full; try again when it has capacity.
    #[error("the lane {0} is full")]
    Full(Lane),
    /// The journal failed; nothing was written, try again.
    #[error("the journal failed: {0}")]
    Journal(String),
    /// The delivery was lost with its connection; the broker delivers it again, do nothing.
    #[error("the delivery was lost with its connection and will come again")]
    Lost,
    /// The handler failed or panicked; the message was put back and will come again.
    #[error("the handler failed, the message is put back: {0}")]
    Handler(String),
    /// The message cannot be encoded; a defect, publishing it again will not help.
    #[error("the message cannot be encoded: {0}")]
    Encode(String),
    /// The bus is shutting down; give up.
    #[error("the bus is closed")]
    Closed,
}

impl From<DecodeError> for BusError {
    fn from(error: DecodeError) -> Self {
        Self::Encode(error.to_string())
    }
}
