//! Invalidations as the caches of this process see them. Best effort: a gap is reported, not filled.

use keyway_domain::{Body, Event, Invalidation, Message, OperationId, TenantId};
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// Signal to a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidationSignal {
    /// Drop the entries this touches; a revocation waits for the acknowledgement.
    Changed(TenantId, Invalidation, Option<Revocation>),
    /// Signals may have been missed: drop everything.
    Lost,
}

/// The attempt of an operation that revokes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// The operation.
    pub operation_id: OperationId,
    /// Its attempt.
    pub attempt: u32,
}

/// A subscription to invalidations.
#[derive(Debug)]
pub struct InvalidationStream(Receiver<InvalidationSignal>);

impl InvalidationStream {
    /// Returns the next signal; `None` when the bus is gone.
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
    /// Decodes a message of the invalidate route; one that cannot be read may concern anything, so it drops everything.
    pub(crate) fn decode(body: &[u8]) -> Self {
        Message::decode(body).map_or(Self::Lost, |message| Self::of(&message))
    }

    pub(crate) fn of(message: &Message) -> Self {
        let Body::Event(Event::Invalidated(what)) = &message.body else { return Self::Lost };
        let revocation = |operation_id| Revocation { operation_id, attempt: message.attempt };
        Self::Changed(message.tenant_id, *what, message.operation_id.map(revocation))
    }
}
