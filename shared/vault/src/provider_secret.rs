//! A provider's secret: a key that a team brought, the operator's own, or an access token that a provider granted for
//! one. A type of its own, so that a search for `expose` finds each place that a provider's secret can leave from.
//!
//! Must never be printed, cloned, compared or serialised, and is wiped when dropped.

use std::fmt;

use crate::{SecretBytes, SecretString, VaultError, secret::Confidential};

/// A provider's secret.
///
/// ```compile_fail
/// fn print<T: std::fmt::Display + Clone + serde::Serialize>() {}
/// print::<keyway_vault::ProviderSecret>();
/// ```
#[derive(serde::Deserialize)]
#[serde(transparent)]
pub struct ProviderSecret(SecretString);

impl ProviderSecret {
    /// Takes a text over. The caller must wipe copies made before.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(SecretString::new(text))
    }

    /// Takes an opened envelope's bytes over.
    ///
    /// # Errors
    /// [`VaultError::Malformed`] when they are no text; they are wiped.
    pub fn from_opened(bytes: SecretBytes) -> Result<Self, VaultError> {
        bytes.into_text().map(Self)
    }

    /// Makes a second one with the same text.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self::new(self.0.plain().clone())
    }

    /// Returns the text. Each call is one of the few places that check, seal, send or redact it.
    #[must_use]
    pub const fn expose(&self) -> &str {
        self.0.plain().as_str()
    }

    /// Returns `true` for a host that checks no keys.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.plain().is_empty()
    }

    /// Returns `true` if it begins with a public prefix: `sk-ant-admin`.
    #[must_use]
    pub fn has_prefix(&self, prefix: &str) -> bool {
        self.0.plain().starts_with(prefix)
    }
}

impl Confidential for ProviderSecret {
    fn is_repeated_in(&self, text: &str) -> bool {
        self.0.is_repeated_in(text)
    }
}

impl fmt::Debug for ProviderSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProviderSecret(***)")
    }
}

impl From<SecretString> for ProviderSecret {
    fn from(text: SecretString) -> Self {
        Self(text)
    }
}
