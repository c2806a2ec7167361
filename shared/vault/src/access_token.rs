//! Tokens that Keyway hands out to people and services: 256 random bits as base64url behind a prefix that says what they
//! are for. Only the SHA-256 of a token is ever stored; a text that cannot be a token is told apart without a look-up.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

use crate::{Secret, SecretString, VaultError, derive::random, from_hex, to_hex};

const RANDOM_BYTES: usize = 32;
const PUBLIC_BYTES: usize = 12;
const SERVICE_PREFIX: &str = "kw_svc_";

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessTokenKind {
    /// A session of a person.
    Session,
    /// Becoming the first owner of an installation.
    Setup,
    /// The end of a link in a mail: an invitation, a new password.
    Link,
}

/// A token that was just made: shown once and never stored.
#[derive(Debug)]
pub struct AccessToken(SecretString);

/// A service's token that was just made: shown once and never stored.
#[derive(Debug)]
pub struct ServiceToken {
    public_id: String,
    text: SecretString,
}

/// What somebody sent as a service's token.
#[derive(Clone, Copy, Debug)]
pub struct SentServiceToken<'a> {
    /// The part that is no secret: by it the service is found.
    pub public_id: &'a str,
    sha256: [u8; 32],
}

impl AccessTokenKind {
    /// What its tokens begin with; nothing for those in links, which would only be longer.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Session => "kw_ses_",
            Self::Setup => "kw_setup_",
            Self::Link => "",
        }
    }
}

impl AccessToken {
    /// A fresh token.
    ///
    /// # Errors
    /// [`VaultError::Keyring`] when the system gives no random bytes.
    pub fn generate(kind: AccessTokenKind) -> Result<Self, VaultError> {
        Ok(Self(Secret::new(with_random(kind.prefix())?)))
    }

    /// The text to show, or to set as a cookie.
    #[must_use]
    pub fn plain(&self) -> &str {
        self.0.plain()
    }

    /// What is stored in its place.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        sha256(self.plain())
    }

    /// What is stored in the place of a token that somebody sent; `None` where the text cannot be one of this kind.
    #[must_use]
    pub fn sha256_of_sent(kind: AccessTokenKind, text: &str) -> Option<[u8; 32]> {
        is_random(text.strip_prefix(kind.prefix())?).then(|| sha256(text))
    }
}

impl ServiceToken {
    /// A fresh token.
    ///
    /// # Errors
    /// [`VaultError::Keyring`] when the system gives no random bytes.
    pub fn generate() -> Result<Self, VaultError> {
        let public_id = to_hex(&random::<PUBLIC_BYTES>()?);
        let text = with_random(&format!("{SERVICE_PREFIX}{public_id}_"))?;
        Ok(Self { public_id, text: Secret::new(text) })
    }

    /// The text to show.
    #[must_use]
    pub fn plain(&self) -> &str {
        self.text.plain()
    }

    /// The part that is no secret.
    #[must_use]
    pub fn public_id(&self) -> &str {
        &self.public_id
    }

    /// What is stored in its place.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        sha256(self.plain())
    }
}

impl<'a> SentServiceToken<'a> {
    /// Reads what was sent; `None` where it cannot be a service's token.
    #[must_use]
    pub fn read(text: &'a str) -> Option<Self> {
        let (public_id, secret) = text.strip_prefix(SERVICE_PREFIX)?.split_once('_')?;
        let is_public_id = from_hex::<PUBLIC_BYTES>(public_id).is_some_and(|bytes| to_hex(&bytes) == public_id);
        (is_public_id && is_random(secret)).then(|| Self { public_id, sha256: sha256(text) })
    }

    /// Whether it is the token whose hash this is; takes the same time for every other one.
    #[must_use]
    pub fn is(&self, stored_sha256: &[u8; 32]) -> bool {
        self.sha256.ct_eq(stored_sha256).into()
    }
}

fn with_random(prefix: &str) -> Result<String, VaultError> {
    let mut bytes = random::<RANDOM_BYTES>()?;
    let mut text = String::with_capacity(prefix.len() + 44);
    text.push_str(prefix);
    URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
    bytes.zeroize();
    Ok(text)
}

/// Whether a text can be what [`with_random`] wrote behind the prefix.
fn is_random(text: &str) -> bool {
    let mut bytes = Zeroizing::new([0; RANDOM_BYTES + 1]);
    text.len() == 43 && URL_SAFE_NO_PAD.decode_slice(text, bytes.as_mut_slice()) == Ok(RANDOM_BYTES)
}

fn sha256(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [AccessTokenKind; 3] = [AccessTokenKind::Session, AccessTokenKind::Setup, AccessTokenKind::Link];

    #[test]
    fn a_token_is_found_by_its_hash_and_is_of_its_kind_only() {
        for kind in KINDS {
            let token = AccessToken::generate(kind).unwrap();
            let text = token.plain();
            assert_eq!(text.len(), kind.prefix().len() + 43);
            for other in KINDS {
                let found = AccessToken::sha256_of_sent(other, text);
                assert_eq!(found, (other == kind).then(|| token.sha256()), "{other:?}");
            }
            assert!(SentServiceToken::read(text).is_none());
            assert_eq!(format!("{token:?}"), "AccessToken(Secret(***))");
            assert_ne!(AccessToken::generate(kind).unwrap().sha256(), token.sha256());
        }
        assert_eq!(to_hex(&sha256("kw_ses_x")[..4]), "613ff0eb");
    }

    #[test]
    fn a_text_that_cannot_be_a_token_is_told_apart() {
        let token = AccessToken::generate(AccessTokenKind::Session).unwrap();
        let text = token.plain();
        for bad in [
            "",
            "kw_ses_",
            &text[1..],
            &text[..text.len() - 1],
            &format!("{text}A"),
            &format!(" {text}"),
            &format!("{}=", &text[..text.len() - 1]),
            &format!("{}é", &text[..text.len() - 2]),
            // Bits behind the last byte are no second spelling of a token.
            &format!("kw_ses_{}B", "A".repeat(42)),
            &text.to_uppercase(),
        ] {
            assert_eq!(AccessToken::sha256_of_sent(AccessTokenKind::Session, bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_service_is_found_by_its_public_part_and_proved_by_the_rest() {
        let token = ServiceToken::generate().unwrap();
        let text = token.plain();
        let sent = SentServiceToken::read(text).unwrap();
        assert_eq!(sent.public_id, token.public_id());
        assert!(sent.is(&token.sha256()));
        assert!(!sent.is(&ServiceToken::generate().unwrap().sha256()));
        let at = text.len() - 5;
        let letter = if text.as_bytes()[at] == b'a' { "b" } else { "a" };
        let forged = format!("{}{letter}{}", &text[..at], &text[at + 1..]);
        assert!(!SentServiceToken::read(&forged).unwrap().is(&token.sha256()));
        let swapped = text.replace(token.public_id(), &"0".repeat(24));
        assert!(!SentServiceToken::read(&swapped).unwrap().is(&token.sha256()), "the public part is hashed too");
        for bad in ["", "kw_svc_", "kw_svc_00_x", &text.to_uppercase(), &text[..text.len() - 1], &format!("{text}A")] {
            assert!(SentServiceToken::read(bad).is_none(), "{bad:?}");
        }
        assert!(!format!("{token:?} {sent:?}").contains(&text[text.len() - 43..]));
    }
}
