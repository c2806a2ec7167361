//! Reasons why a passkey proves nothing. None of them repeats what was sent.

/// Reason why a passkey proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PasskeyError {
    /// It cannot be read, or is not signed by the key.
    #[error("the passkey's answer does not hold: try again")]
    Wrong,
    /// It was made at another address.
    #[error("the passkey's answer is for another address than this one: open Keyway at the address it is set up for")]
    Place,
    /// Its key is of a kind that is not verified.
    #[error("this authenticator's kind of key is not supported: ES256, EdDSA and RS256 are")]
    Algorithm,
}
