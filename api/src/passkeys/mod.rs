//! Passkeys (WebAuthn level 3), the relying party's half: what an authenticator signs is checked against the origin, the
//! challenge and the key that was registered. User verification is always wanted, so that a passkey is two factors.
//!
//! Attestation is not asked for: which maker's authenticator a person uses decides nothing here.

mod authenticator;
mod cbor;
mod ceremony;
mod challenge;
mod error;
mod key;
mod place;

pub(crate) use ceremony::{Assertion, Credential, assertion, registration};
pub(crate) use challenge::{HOLDS, Use, issue, judge};
pub(crate) use error::PasskeyError;
pub(crate) use key::ALGORITHMS;
pub(crate) use place::Place;
