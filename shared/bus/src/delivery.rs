//! A delivered message as handlers see it.

use keyway_domain::{Lane, Message};

/// One message handed to a handler. `Ok` from the handler acks it; anything else delivers it again.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The message, decoded once.
    pub message: Message,
    /// Lane that delivered it.
    pub lane: Lane,
    /// `true` if it may have been delivered before.
    pub redelivered: bool,
    /// Number of put-backs without an ack.
    pub crashes: u32,
}
