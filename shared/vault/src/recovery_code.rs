//! Recovery codes: what a person proves itself by who has lost its authenticator. Each works once.
//!
//! A code is 80 random bits, too many to be guessed whatever the speed: its SHA-256 is stored, bound to its owner.

use keyway_domain::UserId;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{Secret, SecretString, VaultError, derive::random};

/// How many a person is given at a time.
pub const RECOVERY_CODES: usize = 10;

/// Digits and letters without those that are mistaken for digits, and without u.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const CHARS: usize = 16;
const GROUP: usize = 4;

/// A recovery code that was just made: shown once and never stored.
#[derive(Debug)]
pub struct RecoveryCode(SecretString);

impl RecoveryCode {
    /// A fresh code.
    ///
    /// # Errors
    /// [`VaultError::Keyring`] when the system gives no random bytes.
    pub fn generate() -> Result<Self, VaultError> {
        let bytes = Zeroizing::new(random::<CHARS>()?);
        let mut text = String::with_capacity(CHARS + CHARS / GROUP);
        for (at, byte) in bytes.iter().enumerate() {
            if at > 0 && at % GROUP == 0 {
                text.push('-');
            }
            text.push(char::from(ALPHABET[usize::from(byte % 32)]));
        }
        Ok(Self(Secret::new(text)))
    }

    /// The text to show.
    #[must_use]
    pub fn plain(&self) -> &str {
        self.0.plain()
    }

    /// What is stored in its place.
    #[must_use]
    pub fn sha256(&self, owner: UserId) -> Option<[u8; 32]> {
        Self::sha256_of_typed(owner, self.plain())
    }

    /// What is stored in the place of a code that somebody typed, with hyphens and capitals or without, and with
    /// letters for the digits they look like; `None` where the text cannot be a code.
    #[must_use]
    pub fn sha256_of_typed(owner: UserId, text: &str) -> Option<[u8; 32]> {
        let typed = text.chars().filter(|c| !c.is_whitespace() && *c != '-').take(CHARS + 1);
        let code: Zeroizing<String> = typed.map(as_meant).collect::<String>().into();
        let is_code = code.len() == CHARS && code.bytes().all(|byte| ALPHABET.contains(&byte));
        is_code.then(|| Sha256::new().chain_update(owner.uuid()).chain_update(code.as_bytes()).finalize().into())
    }
}

fn as_meant(typed: char) -> char {
    match typed.to_ascii_lowercase() {
        'o' => '0',
        'i' | 'l' => '1',
        meant => meant,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_back_however_it_is_typed_and_is_its_owner_s_alone() {
        let (ana, ben) = (UserId::new(), UserId::new());
        let code = RecoveryCode::generate().unwrap();
        let text = code.plain();
        assert_eq!(text.len(), 19);
        let hash = code.sha256(ana).unwrap();
        for typed in [
            text.to_owned(),
            text.replace('-', ""),
            text.to_uppercase(),
            format!(" {} ", text.replace('-', " ")),
            text.replace('0', "O").replace('1', "l"),
        ] {
            assert_eq!(RecoveryCode::sha256_of_typed(ana, &typed), Some(hash), "{typed}");
        }
        assert_ne!(RecoveryCode::sha256_of_typed(ben, text), Some(hash));
        assert_ne!(RecoveryCode::generate().unwrap().sha256(ana), Some(hash));
        assert_eq!(format!("{code:?}"), "RecoveryCode(Secret(***))");
    }

    #[test]
    fn a_text_that_cannot_be_a_code_is_told_apart() {
        for bad in [
            "",
            "2345",
            "2345-6789-abcd-efg",
            "2345-6789-abcd-efghj",
            "2345-6789-abcd-efgu",
            "2345-6789-abcd-efg\u{e9}",
        ] {
            assert_eq!(RecoveryCode::sha256_of_typed(UserId::new(), bad), None, "{bad}");
        }
    }

    #[test]
    fn every_letter_comes_up() {
        let codes: Vec<_> = (0..100).map(|_| RecoveryCode::generate().unwrap()).collect();
        let mut seen: Vec<u8> =
            codes.iter().flat_map(|code| code.plain().bytes()).filter(|byte| *byte != b'-').collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 32);
    }
}
