//! The management API as its callers see it: a real server on a free port, on both databases.

mod access;
mod backpressure;
mod bad_input;
mod connections;
mod document;
mod drift;
mod fixture;
mod idempotency;
mod lifecycle;
mod lists;
mod own_address;
mod proxy;
mod requests;
mod resources;
mod secrets;
mod session;
