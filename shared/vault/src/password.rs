//! Passwords of people: argon2id, kept as PHC strings.
//!
//! A password is normalised (NFKC) once, when it is taken over. What a stored hash asks for is bounded before it is
//! obeyed. An unknown account costs as much as a known one. Hashing takes milliseconds and 19 MiB: never on a thread
//! that serves others, and always in memory that its caller keeps.

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{Output, PasswordHash},
};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use subtle::ConstantTimeEq as _;
use unicode_normalization::UnicodeNormalization as _;
use zeroize::{Zeroize as _, Zeroizing};

use crate::{Secret, SecretString, VaultError, derive::random};

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;
/// Whose stored hash asks for more than this was not written by any build of Keyway.
const MOST_MEMORY_KIB: u32 = 65_536;
const MOST_PASSES: u32 = 8;
const MOST_LANES: u32 = 4;
/// More than any password that is let in has before it is normalised.
const MOST_TYPED_BYTES: usize = 4096;

/// A password as somebody typed it, normalised.
#[derive(Debug)]
pub struct Password(SecretString);

/// The memory that one hash after another is computed in: one for each that may be computed at a time.
pub struct HashMemory(Vec<Block>);

/// How a password compares with what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordMatch {
    /// It is the one.
    Right,
    /// It is the one, and is to be hashed again: the stored hash was made with other parameters than today's.
    RightButOld,
    /// It is not, or there is nothing to compare it with.
    Wrong,
}

impl Password {
    /// Takes over what was typed; `None` when it is longer than any password.
    #[must_use]
    pub fn typed(text: &SecretString) -> Option<Self> {
        let text = text.plain();
        if text.len() > MOST_TYPED_BYTES {
            return None;
        }
        // Room for the longest expansion there is, so that no half of it is left behind where a text has grown.
        let mut normal = String::with_capacity(text.len().saturating_mul(12));
        normal.extend(text.nfkc());
        Some(Self(Secret::new(normal)))
    }

    /// What is stored in its place: a PHC string, under a salt of its own.
    ///
    /// # Errors
    /// [`VaultError::Keyring`] when the system gives no random bytes.
    pub fn hash(&self, memory: &mut HashMemory) -> Result<String, VaultError> {
        let salt = random::<SALT_BYTES>()?;
        let hash = self.tag(&today()?, &salt, HASH_BYTES, memory)?;
        let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash.as_slice()));
        Ok(format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${hash}"))
    }

    /// Compares it with the stored hash of an account. Without one, which is an account that does not exist or has no
    /// password, it takes as long and is wrong.
    ///
    /// # Errors
    /// [`VaultError::StoredHash`] when the hash is none that this build verifies.
    pub fn compare(&self, stored: Option<&str>, memory: &mut HashMemory) -> Result<PasswordMatch, VaultError> {
        let Some(stored) = stored else {
            self.tag(&today()?, &[0; SALT_BYTES], HASH_BYTES, memory)?;
            return Ok(PasswordMatch::Wrong);
        };
        let stored = Stored::read(stored)?;
        let tag = self.tag(&stored.params, &stored.salt, stored.hash.len(), memory)?;
        if !bool::from(tag.as_slice().ct_eq(stored.hash.as_bytes())) {
            return Ok(PasswordMatch::Wrong);
        }
        Ok(if stored.is_of_today() { PasswordMatch::Right } else { PasswordMatch::RightButOld })
    }

    /// The normalised text, for the rules.
    pub(crate) fn text(&self) -> &str {
        self.0.plain()
    }

    fn tag(
        &self,
        params: &Params,
        salt: &[u8],
        bytes: usize,
        memory: &mut HashMemory,
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let mut tag = Zeroizing::new(vec![0; bytes]);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        let mut larger;
        let blocks = if params.block_count() <= memory.0.len() {
            memory.0.as_mut_slice()
        } else {
            // A hash of a build that asked for more: given back at once, and hashed anew after this sign-in.
            larger = vec![Block::default(); params.block_count()];
            larger.as_mut_slice()
        };
        argon2
            .hash_password_into_with_memory(self.text().as_bytes(), salt, &mut tag, blocks)
            .map_err(|_| VaultError::StoredHash)?;
        Ok(tag)
    }
}

impl HashMemory {
    /// Takes 19 MiB.
    #[must_use]
    pub fn new() -> Self {
        Self(vec![Block::default(); today().map_or(0, |params| params.block_count())])
    }
}

impl Default for HashMemory {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for HashMemory {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|block| block.zeroize());
    }
}

/// A stored hash whose demands are within bounds.
struct Stored {
    params: Params,
    salt: Vec<u8>,
    hash: Output,
}

impl Stored {
    fn read(phc: &str) -> Result<Self, VaultError> {
        let parsed = PasswordHash::new(phc).map_err(|_| VaultError::StoredHash)?;
        let is_known = parsed.algorithm.as_str() == "argon2id" && parsed.version == Some(u32::from(Version::V0x13));
        let params = Params::try_from(&parsed).map_err(|_| VaultError::StoredHash)?;
        let is_bounded =
            params.m_cost() <= MOST_MEMORY_KIB && params.t_cost() <= MOST_PASSES && params.p_cost() <= MOST_LANES;
        let has_extras = !params.keyid().is_empty() || !params.data().is_empty();
        let (Some(salt), Some(hash)) = (parsed.salt, parsed.hash) else { return Err(VaultError::StoredHash) };
        // A tag of a few bytes would be met by chance.
        if !is_known || !is_bounded || has_extras || hash.len() < SALT_BYTES {
            return Err(VaultError::StoredHash);
        }
        Ok(Self { params, salt: salt.to_vec(), hash })
    }

    fn is_of_today(&self) -> bool {
        (self.params.m_cost(), self.params.t_cost(), self.params.p_cost()) == (MEMORY_KIB, PASSES, LANES)
            && (self.salt.len(), self.hash.len()) == (SALT_BYTES, HASH_BYTES)
    }
}

fn today() -> Result<Params, VaultError> {
    Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| VaultError::StoredHash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Password {
        Password::typed(&Secret::new(text.to_owned())).unwrap()
    }

    #[test]
    fn a_password_is_right_against_its_own_hash_only() {
        let mut memory = HashMemory::new();
        let password = typed("a quiet orchard at dusk");
        let (one, other) = (password.hash(&mut memory).unwrap(), password.hash(&mut memory).unwrap());
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, other, "each has its salt");
        assert_eq!(password.compare(Some(&one), &mut memory), Ok(PasswordMatch::Right));
        assert_eq!(typed("a quiet orchard at dawn").compare(Some(&one), &mut memory), Ok(PasswordMatch::Wrong));
        assert_eq!(password.compare(None, &mut memory), Ok(PasswordMatch::Wrong));
        assert_eq!(format!("{password:?}"), "Password(Secret(***))");
    }

    #[test]
    fn what_looks_alike_is_one_password_however_it_was_typed() {
        let mut memory = HashMemory::new();
        let hash = typed("\u{ff50}\u{ff41}ssword \u{fb01}ne e\u{301}").hash(&mut memory).unwrap();
        assert_eq!(typed("password fine \u{e9}").compare(Some(&hash), &mut memory), Ok(PasswordMatch::Right));
        assert!(Password::typed(&Secret::new("x".repeat(MOST_TYPED_BYTES + 1))).is_none());
        let longest = Password::typed(&Secret::new("\u{fdfa}".repeat(MOST_TYPED_BYTES / 3))).unwrap();
        assert!(longest.text().len() <= MOST_TYPED_BYTES * 12, "the room is enough");
    }

    #[test]
    fn memory_is_reused_and_leaves_no_trace_in_the_next_hash() {
        let (mut used, mut fresh) = (HashMemory::new(), HashMemory::new());
        let size = used.0.len();
        typed("something else before").hash(&mut used).unwrap();
        let tag = |memory: &mut HashMemory| typed("one").tag(&today().unwrap(), &[7; 16], 32, memory).unwrap();
        assert_eq!(tag(&mut used), tag(&mut fresh));
        assert_eq!(used.0.len(), size);
    }

    /// A tag that the reference implementation of argon2 computed (its own test of m = 256 KiB, t = 2, p = 1).
    const REFERENCE: &str = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

    #[test]
    fn a_hash_of_other_parameters_is_verified_and_told_to_be_old() {
        let mut memory = HashMemory::new();
        assert_eq!(typed("password").compare(Some(REFERENCE), &mut memory), Ok(PasswordMatch::RightButOld));
        assert_eq!(typed("passwore").compare(Some(REFERENCE), &mut memory), Ok(PasswordMatch::Wrong));
        let larger = Params::new(MEMORY_KIB + 4, 1, 1, None).unwrap();
        let tag = typed("one").tag(&larger, b"somesaltsomesalt", 32, &mut memory).unwrap();
        let phc = format!(
            "$argon2id$v=19$m={},t=1,p=1$c29tZXNhbHRzb21lc2FsdA${}",
            MEMORY_KIB + 4,
            STANDARD_NO_PAD.encode(tag.as_slice())
        );
        assert_eq!(typed("one").compare(Some(&phc), &mut memory), Ok(PasswordMatch::RightButOld));
        assert_eq!(memory.0.len(), today().unwrap().block_count(), "and the memory did not grow");
    }

    #[test]
    fn a_hash_that_asks_for_too_much_or_is_none_is_refused_before_any_work() {
        let mut memory = HashMemory::new();
        let (salt, tag) = ("c29tZXNhbHRzb21lc2FsdA", "Q0cqJ0zFhcx4rAUaKyrOXHT0r1cbBvtbsvxVhQ5RUJs");
        for phc in [
            String::new(),
            "password".to_owned(),
            format!("$argon2id$v=19$m=4000000,t=1,p=1${salt}${tag}"),
            format!("$argon2id$v=19$m=19456,t=4000000,p=1${salt}${tag}"),
            format!("$argon2id$v=19$m=19456,t=2,p=64${salt}${tag}"),
            format!("$argon2i$v=19$m=19456,t=2,p=1${salt}${tag}"),
            format!("$argon2d$v=19$m=19456,t=2,p=1${salt}${tag}"),
            format!("$argon2id$v=16$m=19456,t=2,p=1${salt}${tag}"),
            format!("$argon2id$m=19456,t=2,p=1${salt}${tag}"),
            format!("$argon2id$v=19$m=19456,t=2,p=1,keyid=AAAA${salt}${tag}"),
            format!("$argon2id$v=19$m=19456,t=2,p=1${salt}"),
            format!("$argon2id$v=19$m=19456,t=2,p=1${salt}$Q0cqJ0zFhc"),
            format!("$scrypt$ln=16,r=8,p=1${salt}${tag}"),
        ] {
            assert_eq!(typed("x").compare(Some(&phc), &mut memory), Err(VaultError::StoredHash), "{phc}");
        }
    }
}
