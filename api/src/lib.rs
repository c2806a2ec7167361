//! HTTP in, rows out: the management API (warp), the accept loop, and the proxy.
//!
//! A management request is parsed, authorised and committed; it never calls a provider, never
//! publishes to the bus and never opens a secret. The proxy lives in [`proxy`] and shares nothing
//! with the routes but the listener.

mod answer;
mod app;
mod auth;
mod body;
mod call;
mod commands;
mod console;
mod cursor;
mod error;
mod etag;
mod idempotency;
mod input;
mod openapi;
mod provider_names;
pub mod proxy;
mod routes;
mod server;
mod service;
mod token;
mod trace;
mod view;
mod work;
mod write_deadline;

pub use app::{App, AppParts};
pub use console::{Console, ConsoleError};
pub use openapi::document as openapi_document;
pub use proxy::{Proxy, ProxyParts};
pub use server::{ServerLimits, serve};
pub use token::{VirtualKeyToken, admin_key_hash, new_admin_key};
