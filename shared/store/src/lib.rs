//! Everything Keyway stores: one module of queries per resource, on PostgreSQL and SQLite.
//!
//! This is the only crate with SQL. A query needs a [`TenantTx`], which sees one tenant, or a
//! [`SystemTx`], which belongs to relay, schedules, writers and sign-in. Nothing here logs a
//! statement or a bound value, and nothing here sees a plaintext secret.

pub mod audit;
mod connect;
pub mod credentials;
pub mod data_keys;
pub mod dead_letters;
pub mod drift;
#[expect(unreachable_pub, reason = "the derive macros need the items of an entity to be public")]
mod entity;
mod error;
pub mod expiry;
pub mod idempotency;
pub mod integrations;
pub mod key_usage;
pub mod limits;
pub mod operations;
pub mod outbox;
mod outbox_claim;
mod page;
mod pooler;
mod postgres;
pub mod projects;
pub mod provider_limits;
pub mod provider_models;
pub mod providers;
#[cfg(feature = "raw")]
pub mod raw;
pub mod replacements;
pub mod replicas;
pub mod reported;
pub mod request_log;
pub mod retention;
pub mod schedules;
pub mod settings;
mod sort;
mod sql;
mod tenant_keys;
pub mod tenants;
pub mod transitions;
mod tx;
pub mod usage;
pub mod usage_report;
pub mod verdicts;
pub mod virtual_keys;
mod wakeups;

pub use connect::{DatabaseLimits, PoolState, Store};
pub use error::StoreError;
pub use page::{Page, Paged};
pub use sort::{Place, PlaceValue, Sort, SortBy};
pub use tenant_keys::{KeyError, TenantKeyCache};
pub use tx::{SystemTx, TenantTx, Tx};
pub use wakeups::Wakeups;
