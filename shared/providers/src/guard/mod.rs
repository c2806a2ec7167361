//! The only way out: a rule for the destinations of connections, a resolver that enforces it at connect, and an HTTP
//! client that obeys both. Nothing in here may follow a redirect, use a proxy, or put a URL or a header into an error.

mod address;
mod client;
mod resolver;
mod rule;

pub use address::{is_allowed, is_metadata};
pub use client::{Answer, GuardSettings, GuardedClient, Question};
pub use resolver::Resolver;
pub use rule::Guard;

/// Reason why a connection was not made or gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// The URL may not be called, for the given reason. Use another, or have the operator trust its host.
    #[error("{0}")]
    Refused(&'static str),
    /// The name has no address.
    #[error("the host's name could not be resolved")]
    Unresolved,
    /// No connection, or TLS failed.
    #[error("no connection could be made to the host")]
    Connect,
    /// A deadline has passed.
    #[error("the host did not answer in time")]
    TimedOut,
    /// The connection broke off, or the answer was not HTTP.
    #[error("the connection broke off")]
    Broken,
    /// The body is longer than the limit.
    #[error("the answer is too long")]
    TooLarge,
    /// The client cannot be set up: TLS is not usable on this machine.
    #[error("the HTTP client cannot be set up: {0}")]
    Setup(&'static str),
}
