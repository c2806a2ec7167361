//! The only way out: a rule for the destinations of connections, a resolver that enforces it at connect, a bound on what
//! hosts send beside answers, and an HTTP client that obeys all three. Nothing in here may follow a redirect, use a proxy,
//! or put a URL or a header into an error.

mod address;
mod bounded;
mod client;
mod error;
mod resolver;
mod rule;

pub use address::{is_allowed, is_metadata};
pub use bounded::{Bounded, is_flood};
pub use client::{Answer, GuardSettings, GuardedClient, Question};
pub use error::GuardError;
pub use resolver::Resolver;
pub use rule::Guard;
