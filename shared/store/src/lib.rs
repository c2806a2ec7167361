//! Everything Keyway stores: one module of queries per resource, on PostgreSQL and SQLite.
//!
//! This is the only crate with SQL. A query needs a [`TenantTx`], which sees one tenant, or a
//! [`SystemTx`], which belongs to relay, schedules, writers and sign-in. Nothing here logs a
//! statement or a bound value, and nothing here sees a plaintext secret.

pub mod audit;
pub mod audit_chain;
mod audit_record;
pub mod budgets;
mod connect;
pub mod content_types;
pub mod credentials;
pub mod data_keys;
mod database_limits;
pub mod dead_letters;
mod distrust;
pub mod documents;
pub mod drift;
#[expect(unreachable_pub, reason = "the derive macros need the items of an entity to be public")]
mod entity;
mod error;
pub mod expiry;
pub mod factors;
pub mod idempotency;
pub mod identities;
pub mod integrations;
pub mod invitations;
pub mod key_usage;
pub mod known_places;
pub mod limits;
pub mod link_tokens;
pub mod mails;
pub mod memberships;
pub mod modules;
pub mod node_types;
mod only;
pub mod operations;
pub mod outbox;
mod outbox_claim;
mod page;
pub mod passkeys;
mod pooler;
mod postgres;
pub mod projects;
pub mod provider_limits;
pub mod provider_models;
pub mod providers;
#[cfg(feature = "raw")]
pub mod raw;
pub mod recovery_codes;
pub mod replacements;
pub mod replicas;
pub mod reported;
pub mod request_log;
pub mod retention;
pub mod reveal_allowances;
pub mod reveals;
pub mod schedules;
pub mod services;
mod session_ends;
pub mod sessions;
pub mod settings;
pub mod setup_token;
pub mod sign_in_attempts;
mod slices;
mod sort;
mod sql;
mod tenant_keys;
pub mod tenants;
pub mod totp_factors;
mod transaction;
pub mod transitions;
mod tx;
pub mod usage;
pub mod usage_report;
pub mod users;
pub mod verdicts;
pub mod virtual_keys;
mod wakeups;

pub use connect::{PoolState, Store};
pub use database_limits::DatabaseLimits;
pub use error::StoreError;
pub use only::Only;
pub use page::{Page, Paged};
pub use slices::HOURS_KEPT;
pub use sort::{Place, PlaceValue, Sort, SortBy};
pub use tenant_keys::{KeyError, TenantKeyCache};
pub use transaction::Tx;
pub use tx::{SystemTx, TenantTx};
pub use wakeups::Wakeups;
