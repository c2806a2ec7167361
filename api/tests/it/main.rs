//! The management API as its callers see it: a real server on a free port, on both databases.

mod access;
mod answers;
mod backpressure;
mod bad_input;
mod connections;
mod database_away;
mod document;
#[path = "../../../src/front.rs"]
mod doors;
mod drift;
mod failures;
mod fallback;
mod fixture;
mod idempotency;
mod lifecycle;
mod limits;
mod lists;
mod matrix;
mod members;
mod messages;
mod own_address;
mod own_usage;
mod pasted_keys;
mod people;
mod providers;
mod replacements;
mod requests;
mod resources;
mod reveals;
mod routing;
mod secrets;
mod session;
mod settings;
mod sharing;
