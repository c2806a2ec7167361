//! The bus: carries outbox rows and events to the lanes' workers, invalidations to caches, and notices to pages.
//!
//! Two implementations stand behind [`Bus`]: [`RabbitBus`] over RabbitMQ and [`EmbeddedBus`] inside one process.
//! Handlers cannot tell them apart. This crate never decides about retries: those live in the database.

mod backoff;
mod batch;
mod confirms;
mod consume_options;
mod contract;
mod dead;
mod delivery;
mod embedded;
mod embedded_inner;
mod embedded_source;
mod error;
mod health;
mod invalidations;
mod lane_map;
mod looks;
mod notices;
mod packet;
mod publisher;
mod rabbit;
mod rabbit_address;
mod rabbit_dead;
mod rabbit_fanout;
mod rabbit_headers;
mod rabbit_session;
mod rabbit_settings;
mod rabbit_source;
mod rabbit_ticket;
mod settle;
mod source;
mod task;
mod topology;

pub use consume_options::ConsumeOptions;
pub use contract::{Bus, Handover, Journal, Outgoing};
pub use dead::{DeadLetter, DeadLetterStream};
pub use delivery::Delivery;
pub use embedded::EmbeddedBus;
pub use error::BusError;
pub use health::{Health, LaneDepth, LaneHealth};
pub use invalidations::{InvalidationSignal, InvalidationStream, Revocation};
pub use notices::{NoticeSignal, NoticeStream};
pub use rabbit::RabbitBus;
pub use rabbit_settings::RabbitSettings;
pub use settle::{SettleLayer, SettleService};
pub use source::Source;
