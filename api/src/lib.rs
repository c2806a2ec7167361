//! HTTP in, rows out: the management API (warp), the accept loop, and the proxy.
//!
//! A management request is parsed, authorised and committed; it never calls a provider, never
//! publishes to the bus and never opens a provider's secret. The proxy lives in [`proxy`]; the routes
//! share the listener with it, and tell it what to forget.

mod admission;
mod answer;
mod app;
mod auth;
mod body;
mod call;
mod caller_stream;
#[macro_use]
mod codes;
mod code;
mod commands;
mod config;
mod console;
mod cursor;
mod error;
mod etag;
mod event_loop;
mod fallback;
mod grouped_audit;
mod groupings;
mod idempotency;
mod input;
mod limits;
mod listing;
mod openapi;
mod provider_names;
pub mod proxy;
mod routes;
mod server;
mod service;
mod trace;
mod traffic;
mod view;
mod work;
mod wrong_keys;

pub use admission::OutboxLimits;
pub use app::{App, AppParts};
pub use caller_stream::{CallerStream, Patience};
pub use console::{Console, ConsoleError, Submission};
pub use openapi::document as openapi_document;
pub use proxy::{CorsOrigins, Proxy, ProxyParts};
pub use server::{ServerLimits, serve};
pub use traffic::Traffic;
