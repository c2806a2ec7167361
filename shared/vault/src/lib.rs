//! The vault: secrets, the keyring, envelopes and fingerprints, the keys that Keyway itself hands out, and the URLs that
//! hold a password.
//!
//! A keyring file outside the database holds root keys. HKDF derives a key-encryption key per tenant
//! from the active one; it wraps the tenant's random data keys; the data key seals secrets with
//! AES-256-SIV. This crate must never write a plaintext anywhere, guess a key, or make a new keyring
//! where data sealed under another one may exist.

mod confined;
mod derive;
mod envelope;
mod error;
mod hex;
mod keyring;
mod keys;
mod postgres_url;
mod secret;
mod service_url;
pub mod token;

pub use envelope::{Sealed, sealed_under};
pub use error::VaultError;
pub use hex::{from_hex, to_hex};
pub use keyring::{CheckValue, KeyState, Keyring};
pub use keys::{NewDataKey, TenantKeys, Vault, WrappedDataKey};
pub use postgres_url::PostgresUrl;
pub use secret::{Secret, SecretBytes, SecretString};
pub use service_url::{Host, ServiceUrl, UrlFault};
