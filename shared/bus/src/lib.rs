//! The bus: how outbox rows and events reach the lanes' workers, and caches their invalidations.
//!
//! Two implementations stand behind [`Bus`]: `RabbitBus` over RabbitMQ and `EmbeddedBus` inside one process.
//! Handlers cannot tell them apart. This crate never decides about retries: those live in the database.

mod backoff;
mod contract;
mod dead;
mod delivery;
mod error;
mod health;
mod invalidations;
mod settle;
mod source;
mod task;

pub use contract::{Bus, ConsumeOptions, Handover, Journal, Outgoing};
pub use dead::{DeadLetter, DeadLetterStream, DeadReason};
pub use delivery::Delivery;
pub use error::BusError;
pub use health::{Health, LaneDepth, LaneHealth};
pub use invalidations::{InvalidationSignal, InvalidationStream};
pub use settle::{SettleLayer, SettleService};
pub use source::Source;
