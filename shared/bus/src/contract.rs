//! What both buses promise, and the one thing the embedded bus asks for: a journal.
//!
//! Never holds code of an implementation.

use async_trait::async_trait;
use keyway_domain::{Lane, Message, MessageId, Route};
use tokio_util::sync::CancellationToken;

use crate::{BusError, ConsumeOptions, DeadLetterStream, Health, InvalidationStream, LaneDepth, Source};

/// One outbox row on its way to the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The message's id, which is the row's key.
    pub id: MessageId,
    /// Where it goes.
    pub route: Route,
    /// The encoded message.
    pub body: Vec<u8>,
}

/// What became of a row that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handover {
    /// Nothing is left to be done with it: delete the row.
    Done,
    /// The bus has it. The row stays the durable copy until the effect has committed, and goes then.
    InFlight,
}

/// Carries messages from the outbox and the workers to the lanes. Everything may be delivered twice.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Publishes events of a worker; `Ok` means every one of them is durable. Invalidations are best effort.
    ///
    /// # Errors
    /// Some or none of them may be durable: publish the same messages again.
    async fn publish(&self, messages: &[Message]) -> Result<(), BusError>;

    /// Hands outbox rows over, in order; one answer per row, in the same order. On an error the row is
    /// released and handed over again later.
    async fn relay(&self, rows: Vec<Outgoing>) -> Vec<Result<Handover, BusError>>;

    /// How many more rows of this route may be claimed now; 0 while blocked, disconnected or full.
    fn capacity(&self, route: Route) -> usize;

    /// Returns when [`Self::capacity`] of the route is above 0.
    async fn ready(&self, route: Route);

    /// The source of a lane for an apalis worker. Cancelling `stop` gives back what was not started, lets
    /// started jobs finish, and then ends the worker.
    fn consume(&self, lane: Lane, options: ConsumeOptions, stop: &CancellationToken) -> Source;

    /// The dead letters of every lane, until `stop` is cancelled.
    fn dead_letters(&self, stop: &CancellationToken) -> DeadLetterStream;

    /// Invalidations for this process's caches, best effort.
    fn invalidations(&self) -> InvalidationStream;

    /// Returns when a queue was found missing, and with it all that was in it: what was handed over and has had no
    /// effect yet has to be handed over again. For one task of a process.
    async fn lost(&self);

    /// How the bus is doing. Touches nothing but memory.
    fn health(&self) -> Health;

    /// How many messages wait, per lane: for metrics only, a broker's counters lag behind.
    ///
    /// # Errors
    /// The broker could not be asked; ask again later.
    async fn depths(&self) -> Result<Vec<LaneDepth>, BusError>;

    /// How many messages of a lane no worker holds yet.
    ///
    /// # Errors
    /// The broker could not be asked; ask again later.
    async fn waiting(&self, lane: Lane) -> Result<u64, BusError>;
}

/// Durable storage of messages for the embedded bus: the outbox table.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// Writes the messages as outbox rows in one transaction; those that exist already stay as they are.
    ///
    /// # Errors
    /// Nothing was written; the caller tries again.
    async fn append(&self, messages: &[Message]) -> Result<(), BusError>;

    /// Removes the rows in one transaction; those that do not exist are fine.
    ///
    /// # Errors
    /// Nothing was removed; the caller tries again.
    async fn remove(&self, ids: &[MessageId]) -> Result<(), BusError>;
}
