//! The proxy over real HTTP: a client, the proxy with its own database and spool, and the simulator
//! or a scripted host as the provider.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod abuse;
mod cache;
mod calls;
mod failover;
mod fallback;
mod harness;
mod hostile;
mod identity;
mod limits;
mod memory;
mod provider_settings;
mod refusals;
mod refused_calls;
mod routing;
mod scripted;
mod shapes;
mod spool;
mod streams;
mod websockets;
