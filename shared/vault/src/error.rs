//! What can go wrong in the vault. No message holds a secret.

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
    /// The stored hash of a password asks for too much work, or is none: have the password set anew.
    #[error("the stored password hash is not one this build verifies")]
    StoredHash,
}
