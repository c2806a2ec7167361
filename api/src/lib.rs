//! The management API: a request is parsed, authorised and committed (HTTP in, rows out).
//!
//! It never calls a provider and never publishes to the bus; it opens a provider's secret in one command alone, which
//! reveals it. It knows of the proxy of its process only what [`ProxyBeside`] says.

mod access;
mod admission;
mod aliases;
mod answer;
mod app;
mod auth;
mod beside;
mod body;
mod call;
mod code;
mod commands;
mod config;
mod console;
mod console_people;
mod cookie;
mod cursor;
mod documents;
mod door;
mod error;
mod etag;
mod event_stream;
mod fallback;
mod groupings;
mod hashing;
mod idempotency;
mod input;
mod limits;
mod listing;
mod live;
mod modules;
mod oidc;
mod openapi;
mod passkeys;
mod people;
mod principal;
mod principals;
mod provider_names;
mod published;
mod routes;
mod service;
mod signature;
mod system_work;
mod trace;
mod view;
mod work;

pub use admission::OutboxLimits;
pub use aliases::aliased;
pub use app::{App, AppParts, SessionTimes};
pub use beside::{OpenApi, ProxyBeside};
pub use console::{Console, ConsoleError, Submission};
pub use console_people::NewPerson;
pub use door::{ApiBody, door, refuse_head, refuse_target};
pub use oidc::{OidcFault, OidcSettings};
pub use openapi::document as openapi_document;
