//! The proxy: applications call providers with a virtual key and never see a provider's key.
//!
//! A virtual key leads to its project, the project to an integration, the integration to a sealed secret;
//! all three are kept in memory, the secret sealed: it is opened for each request and wiped after it.
//! Answers stream; a request's body streams unless its model routes it or its stream is metered, when
//! it is read first. Every call leaves one record on the spool. The proxy must never store or log a
//! secret, follow a redirect, or ask the database on the warm path.
//!
//! The map. A room imports those above it that it names, and `warm` (what is kept in memory); nothing imports what is below it.
//!
//! | room | answers | imports |
//! |---|---|---|
//! | `refusal` | what is said instead of forwarding, in whose shape | no room |
//! | `request` | who calls, for what, with which headers and body | `refusal` |
//! | `client` | over which connection a provider is called | `refusal`, `request` |
//! | `route` | whom a call goes to, in which order, with which body | `refusal`, `request`, `client`, `grouped_audit` |
//! | `limits` | whether there is something left for it | `refusal`, `request`, `route` |
//! | `ledger` | what is kept of it, until the outbox has it | `refusal`, `request`, `route`, `limits` |
//! | `answer` | what its caller gets, metered as it passes | all but `limits` |
//!
//! Above the rooms stand `forward` (one request through them), `explain` (its judgement without a call), `caches`,
//! `invalidations` and `replica` (what is forgotten, and who is told of it), `proxy` (all of it put together), `door` (how the
//! listener reaches it) and `document` (how the API document tells of it).

mod answer;
mod auth_failures;
mod caches;
mod client;
mod document;
mod door;
mod explain;
mod forward;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod grouped_audit;
mod invalidations;
mod ledger;
mod limits;
mod proxy;
mod refusal;
mod replica;
mod request;
mod route;
mod warm;

pub use answer::relay::ProxyBody;
pub use client::ProviderClient;
pub use document::describe;
pub use door::{ProxyDoor, is_proxied};
pub use proxy::{Proxy, ProxyError, ProxyParts, SPOOL};
pub use request::cors::CorsOrigins;
