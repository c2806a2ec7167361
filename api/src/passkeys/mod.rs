//! Passkeys (WebAuthn level 3), the relying party's half: what an authenticator signs is checked against the origin, the
//! challenge and the key that was registered. User verification is always wanted, so that a passkey is two factors.
//!
//! Attestation is not asked for: which maker's authenticator a person uses decides nothing here.

mod authenticator;
mod cbor;
mod ceremony;
mod challenge;
mod key;

pub(crate) use ceremony::{Assertion, Credential, Place, assertion, registration};
pub(crate) use challenge::{HOLDS, Use, issue, judge};
pub(crate) use key::ALGORITHMS;

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
