//! Invalidations as the caches of this process see them. Best effort: a gap is told, not filled.

use keyway_domain::{Body, Event, Invalidation, Message, TenantId};
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// What a cache hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidationSignal {
    /// Drop what this touches.
    Changed(TenantId, Invalidation),
    /// Signals may have been missed: drop everything.
    Lost,
}

/// A subscription to invalidations.
#[derive(Debug)]
pub struct InvalidationStream(Receiver<InvalidationSignal>);

impl InvalidationStream {
    /// The next signal; `None` when the bus is gone.
    pub async fn next(&mut self) -> Option<InvalidationSignal> {
        match self.0.recv().await {
            Ok(signal) => Some(signal),
            Err(RecvError::Lagged(_)) => Some(InvalidationSignal::Lost),
            Err(RecvError::Closed) => None,
        }
    }

    pub(crate) const fn new(receiver: Receiver<InvalidationSignal>) -> Self {
        Self(receiver)
    }
}

impl InvalidationSignal {
    /// Reads a message of the invalidate route; what cannot be read may be anything.
    pub(crate) fn decode(body: &[u8]) -> Self {
        Message::decode(body).map_or(Self::Lost, |message| Self::of(&message))
    }

    pub(crate) const fn of(message: &Message) -> Self {
        match &message.body {
            Body::Event(Event::Invalidated(what)) => Self::Changed(message.tenant_id, *what),
            _ => Self::Lost,
        }
    }
}
