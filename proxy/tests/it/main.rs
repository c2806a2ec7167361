//! The proxy over real HTTP: a client, the proxy with its own database and spool, and the simulator
//! or a scripted host as the provider.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod abuse;
mod affinity;
mod background;
mod breaks;
mod cache;
mod calls;
mod door;
mod door_connections;
#[path = "../../../src/front.rs"]
mod doors;
mod endings;
mod failover;
mod failover_by_meaning;
mod fallback;
mod fallback_alone;
mod families;
mod figures;
#[expect(dead_code, unused_macros, unused_imports, reason = "the API's own tests use all of it")]
#[path = "../../../api/tests/it/fixture.rs"]
mod fixture;
mod floods;
mod front;
mod harness;
mod hostile;
mod identity;
mod include_usage;
mod kept_ids;
mod limits;
mod memory;
mod provider_settings;
mod redaction;
mod refusals;
mod refused_calls;
mod reservations;
mod routing;
mod scripted;
mod services;
mod shapes;
mod spool;
mod stream_forms;
mod streams;
mod websockets;
mod wire;
