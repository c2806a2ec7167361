//! A delivered message as handlers see it.

use keyway_domain::{Lane, Message};

/// One message handed to a handler. `Ok` from the handler acks it; anything else delivers it again.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The message, decoded once.
    pub message: Message,
    /// The lane it came by.
    pub lane: Lane,
    /// Whether it may have been delivered before.
    pub redelivered: bool,
    /// How often it was put back without an ack.
    pub crashes: u32,
}
