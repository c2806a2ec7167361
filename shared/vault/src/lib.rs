//! The vault: secrets, the keyring, envelopes and fingerprints, the keys that Keyway itself hands out, and the URLs that
//! hold a password.
//!
//! A keyring file outside the database holds root keys. HKDF derives a key-encryption key per tenant
//! from the active one; it wraps the tenant's random data keys; the data key seals secrets with
//! AES-256-SIV. This crate must never write a plaintext anywhere, guess a key, or make a new keyring
//! where data sealed under another one may exist.

mod envelope;
mod hex;
mod keyring;
mod keys;
mod postgres_url;
mod secret;
mod service_url;
pub mod token;

pub use envelope::{Sealed, sealed_under};
pub use hex::{from_hex, to_hex};
pub use keyring::{CheckValue, KeyState, Keyring};
pub use keys::{NewDataKey, TenantKeys, Vault, WrappedDataKey};
pub use postgres_url::PostgresUrl;
pub use secret::{Secret, SecretBytes, SecretString};
pub use service_url::{Host, ServiceUrl, UrlFault};

/// Error of the vault, by its remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The process runs sealed: restore the right keyring and start it again.
    #[error("the vault is sealed: {0}")]
    Sealed(String),
    /// The keyring file cannot be used: the text says what to change.
    #[error("the keyring cannot be used: {0}")]
    Keyring(String),
    /// The data key names a root key version that this keyring does not have: restore that version.
    #[error("the keyring has no key of version {0}")]
    UnknownVersion(u32),
    /// The envelope is of an unknown format, truncated, or names another data key.
    #[error("the envelope is not one this build can read")]
    Malformed,
    /// The bytes were not sealed with these keys for this tenant, secret and version.
    #[error("the envelope does not open with the keys at hand")]
    Unauthentic,
}
