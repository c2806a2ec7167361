//! The keys that Keyway issues: `kw_live_` + 43 base62 characters (256 random bits) + 6 base62 characters of CRC-32, so
//! that a scanner recognises one, and a typing mistake is told from a wrong key without a look-up. Only the SHA-256 of
//! a key is ever stored.

use rand::{TryRng, rngs::SysRng};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::secret::{Secret, SecretString};

/// The beginning of every virtual key.
const PREFIX: &str = "kw_live_";
const ADMIN_PREFIX: &str = "kw_admin_";
const RANDOM_CHARS: usize = 43;
const CHECK_CHARS: usize = 6;
/// Characters of a generated password: 142 random bits.
const PASSWORD_CHARS: usize = 24;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A new virtual key: to be shown once and never stored.
pub struct VirtualKeyToken(SecretString);

impl VirtualKeyToken {
    /// Generates a key; `None` if the system gives no random bytes.
    #[must_use]
    pub fn generate() -> Option<Self> {
        generate(PREFIX).map(Self)
    }

    /// Returns the key to show.
    #[must_use]
    pub fn plain(&self) -> &str {
        self.0.plain()
    }

    /// Returns the SHA-256 that is stored in place of the key.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        sha256(self.plain())
    }

    /// Returns the redacted form: the prefix and the last four characters.
    #[must_use]
    pub fn hint(&self) -> String {
        let text = self.plain();
        format!("{PREFIX}...{}", &text[text.len() - 4..])
    }

    /// Returns `true` if `text` begins like a virtual key, valid or not.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// Returns `true` if `text` can be a virtual key: prefix, length and checksum are right.
    #[must_use]
    pub fn is_well_formed(text: &str) -> bool {
        let Some(rest) = text.strip_prefix(PREFIX) else { return false };
        if rest.len() != RANDOM_CHARS + CHECK_CHARS || !rest.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return false;
        }
        let (body, check) = text.split_at(text.len() - CHECK_CHARS);
        checksum(body) == check.as_bytes()
    }
}

/// Generates an admin key, for the first start; `None` if the system gives no random bytes.
#[must_use]
pub fn new_admin_key() -> Option<SecretString> {
    generate(ADMIN_PREFIX)
}

/// Generates a password for a person, to be shown once; `None` if the system gives no random bytes.
#[must_use]
pub fn new_password() -> Option<SecretString> {
    generate("").map(|long| Secret::new(long.plain().chars().take(PASSWORD_CHARS).collect()))
}

/// Returns the SHA-256 that is stored for an admin key.
#[must_use]
pub fn admin_key_hash(key: &str) -> [u8; 32] {
    sha256(key)
}

/// Hashes a key of Keyway's own: the hash is what it is known by.
#[must_use]
pub fn sha256(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// Returns `true` if `key` is the admin key with this hash; takes the same time for every wrong key.
#[must_use]
pub fn is_admin_key(key: &str, sha256: &[u8; 32]) -> bool {
    admin_key_hash(key).ct_eq(sha256).into()
}

fn generate(prefix: &str) -> Option<SecretString> {
    let mut bytes = [0u8; 32];
    SysRng.try_fill_bytes(&mut bytes).ok()?;
    let mut text = String::with_capacity(prefix.len() + RANDOM_CHARS + CHECK_CHARS);
    text.push_str(prefix);
    // Long division of the 256-bit number by 62, lowest digit first: 43 digits hold all of it.
    for _ in 0..RANDOM_CHARS {
        let mut remainder = 0u16;
        for byte in &mut bytes {
            let value = (remainder << 8) | u16::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or(0);
            remainder = value % 62;
        }
        text.push(char::from(ALPHABET[usize::from(remainder)]));
    }
    bytes.zeroize();
    let check = checksum(&text);
    text.extend(check.map(char::from));
    Some(Secret::new(text))
}

fn checksum(text: &str) -> [u8; CHECK_CHARS] {
    let mut crc = crc32fast::hash(text.as_bytes());
    let mut check = [b'0'; CHECK_CHARS];
    for digit in check.iter_mut().rev() {
        *digit = ALPHABET[(crc % 62) as usize];
        crc /= 62;
    }
    check
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_its_form_and_its_checksum_finds_typing_mistakes() {
        let token = VirtualKeyToken::generate().unwrap();
        let text = token.plain();
        assert_eq!(text.len(), 8 + 43 + 6);
        assert!(VirtualKeyToken::is_well_formed(text));
        for at in 0..text.len() {
            let mut wrong = text.as_bytes().to_vec();
            wrong[at] = if wrong[at] == b'a' { b'b' } else { b'a' };
            assert!(!VirtualKeyToken::is_well_formed(&String::from_utf8(wrong).unwrap()), "position {at}");
        }
        assert!(!VirtualKeyToken::is_well_formed(""));
        assert!(!VirtualKeyToken::is_well_formed(&text[..text.len() - 1]));
        assert!(!VirtualKeyToken::is_well_formed(&format!("{text}é")));
        assert_eq!(token.hint().len(), 8 + 3 + 4);
    }

    #[test]
    fn keys_differ_and_use_the_whole_alphabet() {
        let keys: Vec<_> = (0..200).map(|_| VirtualKeyToken::generate().unwrap()).collect();
        let mut seen: Vec<u8> = keys.iter().flat_map(|key| key.plain().bytes().skip(8)).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 62);
        assert_ne!(keys[0].sha256(), keys[1].sha256());
    }

    #[test]
    fn generated_passwords_are_long_and_differ() {
        let passwords: Vec<_> = (0..50).map(|_| new_password().unwrap().plain().clone()).collect();
        assert!(passwords.iter().all(|it| it.len() == 24 && it.bytes().all(|byte| byte.is_ascii_alphanumeric())));
        assert!((1..50).all(|at| !passwords[..at].contains(&passwords[at])));
    }

    #[test]
    fn only_the_admin_key_is_the_admin_key() {
        let key = new_admin_key().unwrap();
        let hash = admin_key_hash(key.plain());
        assert!(key.plain().starts_with("kw_admin_") && key.plain().len() >= 32);
        assert!(is_admin_key(key.plain(), &hash));
        assert!(!is_admin_key("", &hash));
        assert!(!is_admin_key(&key.plain()[1..], &hash));
    }
}
