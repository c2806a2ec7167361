//! `Secret<T>`: a value that is wiped when dropped and cannot be printed, cloned, compared or serialised.

use std::fmt;

use zeroize::Zeroize;

/// A secret text, such as a provider key.
pub type SecretString = Secret<String>;
/// Secret bytes.
pub type SecretBytes = Secret<Vec<u8>>;

/// A secret value. [`Secret::expose`] is the only access to it, so a search for that word finds every use.
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes the value over. The caller must wipe copies made before.
    #[must_use]
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Returns the value. Keep the reference no longer than needed.
    #[must_use]
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl SecretBytes {
    /// Converts the bytes to text.
    ///
    /// # Errors
    /// [`crate::VaultError::Malformed`] if the bytes are not UTF-8; they are wiped.
    pub fn into_text(mut self) -> Result<SecretString, crate::VaultError> {
        String::from_utf8(std::mem::take(&mut self.0)).map(Secret).map_err(|error| {
            error.into_bytes().zeroize();
            crate::VaultError::Malformed
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
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new("sk-canary".to_owned())), "Secret(***)");
    }
}
