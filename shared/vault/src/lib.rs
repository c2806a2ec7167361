//! The vault: secrets, the keyring, envelopes and fingerprints, the keys that Keyway itself hands out, the URLs that hold
//! a password, and the proofs of people and services.
//!
//! A keyring file outside the database holds root keys. HKDF derives a key-encryption key per tenant
//! from the active one; it wraps the tenant's random data keys; the data key seals secrets with
//! AES-256-SIV. This crate must never write a plaintext anywhere, guess a key, or make a new keyring
//! where data sealed under another one may exist.

mod access_token;
mod confined;
mod derive;
mod envelope;
mod error;
mod hex;
mod keyring;
mod keys;
mod password;
mod password_rules;
mod postgres_url;
mod provider_secret;
mod recovery_code;
mod secret;
mod service_url;
mod smtp_url;
pub mod token;
mod totp;

pub use access_token::{AccessToken, AccessTokenKind, SentServiceToken, ServiceToken};
pub use envelope::{Sealed, sealed_under};
pub use error::VaultError;
pub use hex::{from_hex, to_hex};
pub use keyring::{AuditSeed, CheckValue, KeyState, Keyring};
pub use keys::{NewDataKey, TenantKeys, Vault, WrappedDataKey};
pub use password::{HashMemory, Password, PasswordMatch};
pub use password_rules::{
    MAX_PASSWORD_CHARS, MIN_PASSWORD_CHARS, MIN_PASSWORD_CHARS_WITH_FACTOR, PasswordFault, PasswordOwner,
};
pub use postgres_url::PostgresUrl;
pub use provider_secret::ProviderSecret;
pub use recovery_code::{RECOVERY_CODES, RecoveryCode};
pub use secret::{Confidential, Secret, SecretBytes, SecretString};
pub use service_url::{Host, ServiceUrl, UrlFault};
pub use smtp_url::{SmtpSecurity, SmtpUrl};
pub use totp::Totp;
