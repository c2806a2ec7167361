//! `Secret<T>`: a value that is wiped when dropped and cannot be printed, cloned, compared or serialised.

use std::fmt;

use zeroize::Zeroize;

use crate::VaultError;

/// A secret text, such as a provider key.
pub type SecretString = Secret<String>;
/// Secret bytes.
pub type SecretBytes = Secret<Vec<u8>>;

/// A secret value of Keyway's own: a token, a password, a key of the keyring, a URL with a login. A provider's secret is a
/// [`ProviderSecret`](crate::ProviderSecret). [`Secret::plain`] is the only access to it.
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes the value over. The caller must wipe copies made before.
    #[must_use]
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Returns the value. Keep the reference no longer than needed.
    #[must_use]
    pub const fn plain(&self) -> &T {
        &self.0
    }
}

/// A secret that a text can be searched for.
pub trait Confidential: Sync {
    /// Returns `true` if the text holds six or more characters of it in a row.
    fn is_repeated_in(&self, text: &str) -> bool;
}

impl Confidential for SecretString {
    fn is_repeated_in(&self, text: &str) -> bool {
        const TELLING_BYTES: usize = 6;
        let parts = || self.0.as_bytes().windows(TELLING_BYTES);
        text.as_bytes().windows(TELLING_BYTES).any(|seen| parts().any(|part| part == seen))
    }
}

impl SecretBytes {
    /// Converts the bytes to text.
    ///
    /// # Errors
    /// [`VaultError::Malformed`] when they are not UTF-8; the bytes are wiped.
    pub fn into_text(mut self) -> Result<SecretString, VaultError> {
        String::from_utf8(std::mem::take(&mut self.0)).map(Secret).map_err(|error| {
            error.into_bytes().zeroize();
            VaultError::Malformed
        })
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl From<String> for SecretString {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl<'de> serde::Deserialize<'de> for SecretString {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use static_assertions::assert_not_impl_any;

    use super::*;
    use crate::{
        AccessToken, HashMemory, Password, ProviderSecret, RecoveryCode, ServiceToken, token::VirtualKeyToken,
    };

    assert_not_impl_any!(Secret<String>: Clone, fmt::Display, serde::Serialize, PartialEq, AsRef<str>);
    assert_not_impl_any!(Secret<Vec<u8>>: Clone, fmt::Display, serde::Serialize, PartialEq, AsRef<[u8]>);
    assert_not_impl_any!(ProviderSecret: Clone, fmt::Display, serde::Serialize, PartialEq, AsRef<str>);
    assert_not_impl_any!(Password: Clone, fmt::Display, serde::Serialize);
    assert_not_impl_any!(HashMemory: Clone, fmt::Debug, serde::Serialize);
    assert_not_impl_any!(AccessToken: Clone, fmt::Display, serde::Serialize);
    assert_not_impl_any!(ServiceToken: Clone, fmt::Display, serde::Serialize);
    assert_not_impl_any!(VirtualKeyToken: Clone, fmt::Display, serde::Serialize);
    assert_not_impl_any!(RecoveryCode: Clone, fmt::Display, serde::Serialize);

    #[test]
    fn a_text_that_repeats_a_part_is_told_from_one_that_does_not() {
        let secret = SecretString::new("sk-canary".to_owned());
        for (text, expected) in [("req_canary_1", true), ("req_anary_1", false), ("", false)] {
            assert_eq!(secret.is_repeated_in(text), expected, "{text}");
        }
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new("sk-canary".to_owned())), "Secret(***)");
    }
}
