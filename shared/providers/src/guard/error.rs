//! Why a call came to nothing. Never holds a URL or a header.

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
    /// The host sent no answer, but more before one than it may: interim heads, frames that bring nothing.
    #[error("the host sent too much before an answer")]
    Flooded,
    /// The body is longer than the limit.
    #[error("the answer is too long")]
    TooLarge,
    /// The client cannot be set up: TLS is not usable on this machine.
    #[error("the HTTP client cannot be set up: {0}")]
    Setup(&'static str),
}
