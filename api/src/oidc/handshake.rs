//! The binding of a sign-in to the browser that began it. One random text is in a cookie, and all that the issuer and
//! the redirect are shown is derived from it: who knows the redirect knows neither the cookie nor the PKCE verifier.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue};
use keyway_domain::Timestamp;
use keyway_vault::{AccessToken, AccessTokenKind, VaultError};
use sha2::{Digest as _, Sha256};

use crate::cookie;

/// Time that a person has to prove itself to its issuer.
pub(crate) const HOLDS_SECONDS: i64 = 600;
const MAX_PATH_BYTES: usize = 512;

/// A sign-in that was begun.
pub(crate) struct Handshake {
    secret: String,
    begun_at: Timestamp,
    /// Path of our own that the person wants to go to.
    pub(crate) return_to: String,
}

impl Handshake {
    /// Begins a sign-in.
    ///
    /// # Errors
    /// [`VaultError::Keyring`] when the system gives no random bytes.
    pub(crate) fn begin(return_to: String, now: Timestamp) -> Result<Self, VaultError> {
        let secret = AccessToken::generate(AccessTokenKind::Link)?.plain().to_owned();
        Ok(Self { secret, begun_at: now, return_to })
    }

    /// Returns the sign-in that this browser began, while it holds.
    pub(crate) fn of_browser(headers: &HeaderMap, now: Timestamp) -> Option<Self> {
        let mut parts = cookie::handshake(headers)?.splitn(3, '.');
        let (secret, begun_at, return_to) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
        let begun_at = Timestamp::from_seconds(begun_at);
        let is_fresh = now.seconds() - begun_at.seconds() <= HOLDS_SECONDS;
        AccessToken::sha256_of_sent(AccessTokenKind::Link, secret).filter(|_| is_fresh)?;
        let return_to = String::from_utf8(URL_SAFE_NO_PAD.decode(return_to).ok()?).ok()?;
        Some(Self { secret: secret.to_owned(), begun_at, return_to: local_path(&return_to)?.to_owned() })
    }

    /// Returns the header that gives it to the browser.
    pub(crate) fn cookie(&self, headers: &HeaderMap) -> Option<(HeaderName, HeaderValue)> {
        let return_to = URL_SAFE_NO_PAD.encode(&self.return_to);
        let text = format!("{}.{}.{return_to}", self.secret, self.begun_at.seconds());
        cookie::set_handshake(headers, &text, HOLDS_SECONDS)
    }

    /// Returns the text that comes back in the redirect.
    pub(crate) fn state(&self) -> String {
        self.derived("state")
    }

    /// Returns the text that comes back in the ID token.
    pub(crate) fn nonce(&self) -> String {
        self.derived("nonce")
    }

    /// Returns the text that only who began it can show (RFC 7636).
    pub(crate) fn verifier(&self) -> String {
        self.derived("verifier")
    }

    /// Returns the hash of the verifier, which the issuer is shown first.
    pub(crate) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier()))
    }

    fn derived(&self, what: &str) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{what} of {}", self.secret)))
    }
}

/// Returns the text if it is a path of our own origin and nothing else to any browser.
pub(crate) fn local_path(text: &str) -> Option<&str> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'<' | b'>'));
    let is_path = text.starts_with('/') && !text.starts_with("//");
    (is_plain && is_path && text.len() <= MAX_PATH_BYTES).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_of_our_own_is_one() {
        for (text, expected) in [
            ("/", true),
            ("/integrations?status=error#top", true),
            ("//evil.example", false),
            ("/\\evil.example", false),
            ("https://evil.example", false),
            ("javascript:alert(1)", false),
            ("", false),
            ("integrations", false),
            ("/\u{9}/evil.example", false),
            ("/a b", false),
            ("/\r\nset-cookie: a=b", false),
        ] {
            assert_eq!(local_path(text).is_some(), expected, "{text:?}");
        }
        assert!(local_path(&format!("/{}", "a".repeat(MAX_PATH_BYTES))).is_none());
    }

    #[test]
    fn it_comes_back_from_its_browser_in_time_and_shows_nothing_of_its_secret() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let begun = Handshake::begin("/usage".to_owned(), now).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("host", "localhost:8080".parse().unwrap());
        let (_, set) = begun.cookie(&headers).unwrap();
        let pair = set.to_str().unwrap().split(';').next().unwrap().to_owned();
        headers.insert("cookie", pair.parse().unwrap());
        let later = |seconds| Timestamp::from_seconds(now.seconds() + seconds);
        let back = Handshake::of_browser(&headers, later(HOLDS_SECONDS)).unwrap();
        assert_eq!((back.state(), back.nonce(), back.verifier()), (begun.state(), begun.nonce(), begun.verifier()));
        assert_eq!(back.return_to, "/usage");
        assert!(Handshake::of_browser(&headers, later(HOLDS_SECONDS + 1)).is_none());
        let shown = [begun.state(), begun.nonce(), begun.challenge()];
        assert!(!shown.contains(&begun.verifier()) && !shown.contains(&begun.secret));
        let value = pair.split_once('=').unwrap().1;
        for bad in ["", "a.b", "a.1800000000.Lw", &value.replace("L3VzYWdl", "Ly9ldmls")] {
            headers.insert("cookie", format!("keyway_oidc={bad}").parse().unwrap());
            assert!(Handshake::of_browser(&headers, now).is_none(), "{bad}");
        }
    }
}
