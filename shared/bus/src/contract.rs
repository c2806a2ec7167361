//! The contract of both buses, and of the journal that the embedded bus needs.
//!
//! Never holds code of an implementation.

use async_trait::async_trait;
use keyway_domain::{Lane, Message, MessageId, Notice, Route};
use tokio_util::sync::CancellationToken;

use crate::{BusError, ConsumeOptions, DeadLetterStream, Health, InvalidationStream, LaneDepth, NoticeStream, Source};

/// One outbox row on its way to the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Id of the message, and key of the row.
    pub id: MessageId,
    /// Destination.
    pub route: Route,
    /// The encoded message.
    pub body: Vec<u8>,
}

/// Result of handing over a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handover {
    /// Nothing is left to do: delete the row.
    Done,
    /// The bus has the message. The row stays, as the durable copy, until the effect has committed.
    InFlight,
}

/// Carries messages from the outbox and the workers to the lanes. Everything may be delivered twice.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Publishes events of a worker; `Ok` means that all of them are durable. Invalidations are best effort.
    ///
    /// # Errors
    /// Some or none of the messages may be durable: publish the same messages again.
    async fn publish(&self, messages: &[Message]) -> Result<(), BusError>;

    /// Hands outbox rows over, in order; returns one result per row, in the same order. A row with an error is released
    /// and handed over again later.
    async fn relay(&self, rows: Vec<Outgoing>) -> Vec<Result<Handover, BusError>>;

    /// Returns how many more rows of this route may be claimed now; 0 while blocked, disconnected or full.
    fn capacity(&self, route: Route) -> usize;

    /// Waits until [`Self::capacity`] of the route is above 0.
    async fn ready(&self, route: Route);

    /// Returns the source of a lane for an apalis worker. Cancelling `stop` gives back messages that were not started,
    /// lets started jobs finish, and then ends the worker.
    fn consume(&self, lane: Lane, options: ConsumeOptions, stop: &CancellationToken) -> Source;

    /// Returns the dead letters of every lane, until `stop` is cancelled.
    fn dead_letters(&self, stop: &CancellationToken) -> DeadLetterStream;

    /// Subscribes this process's caches to invalidations, best effort.
    fn invalidations(&self) -> InvalidationStream;

    /// Tells the pages of every process what has changed, best effort. Never waits; what cannot be told now is dropped.
    fn notify(&self, notices: Vec<Notice>);

    /// Subscribes this process's pages to notices, best effort.
    fn notices(&self) -> NoticeStream;

    /// Waits until a queue was found missing and its messages with it: every row handed over whose effect has not
    /// committed must be handed over again. Only one task per process may wait.
    async fn lost(&self);

    /// Returns the health of the bus. Reads memory only.
    fn health(&self) -> Health;

    /// Returns the number of waiting messages per lane, for metrics only: a broker's counters lag behind.
    ///
    /// # Errors
    /// The broker could not be asked; ask again later.
    async fn depths(&self) -> Result<Vec<LaneDepth>, BusError>;

    /// Returns the number of a lane's messages that no worker holds yet.
    ///
    /// # Errors
    /// The broker could not be asked; ask again later.
    async fn waiting(&self, lane: Lane) -> Result<u64, BusError>;
}

/// Durable storage of messages for the embedded bus: the outbox table.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// Writes the messages as outbox rows in one transaction; existing rows stay unchanged.
    ///
    /// # Errors
    /// Nothing was written; the caller tries again.
    async fn append(&self, messages: &[Message]) -> Result<(), BusError>;

    /// Removes the rows in one transaction; ignores missing ones.
    ///
    /// # Errors
    /// Nothing was removed; the caller tries again.
    async fn remove(&self, ids: &[MessageId]) -> Result<(), BusError>;
}
