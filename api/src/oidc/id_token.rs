//! ID tokens (OpenID Connect Core 3.1.3.7): a claim is read after everything that it depends on has been checked.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use keyway_domain::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::{
    OidcError,
    keys::{self, KeySet},
};
use crate::signature::{Algorithm, is_signed};

/// Time by which two clocks may differ.
const LEEWAY_SECONDS: i64 = 60;
const MAX_TOKEN_BYTES: usize = 64 * 1024;

/// Values that a token has to have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) nonce: &'a str,
    /// Access token that came with it.
    pub(crate) access_token: Option<&'a str>,
    pub(crate) now: Timestamp,
}

/// Reason why a token proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenFault {
    /// No key of the set signed it: the set may be an old one.
    Unsigned,
    /// It is wrong whatever the keys.
    Error(OidcError),
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

/// Returns the claims of a token that holds.
///
/// # Errors
/// [`TokenFault`].
pub(crate) fn claims(token: &str, keys: &KeySet, expected: Expected<'_>) -> Result<Map<String, Value>, TokenFault> {
    let wrong = TokenFault::Error(OidcError::Token);
    let (message, signature) = token.rsplit_once('.').filter(|_| token.len() <= MAX_TOKEN_BYTES).ok_or(wrong)?;
    let (header, payload) = message.split_once('.').ok_or(wrong)?;
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong);
    let header: Header = serde_json::from_slice(&bytes(header)?).map_err(|_| wrong)?;
    let algorithm = keys::algorithm(&header.alg).ok_or(TokenFault::Error(OidcError::Algorithm))?;
    if header.crit.is_some() {
        return Err(wrong);
    }
    let signature = bytes(signature)?;
    let mut candidates = keys.candidates(header.kid.as_deref(), &header.alg, algorithm);
    if !candidates.any(|key| is_signed(key, algorithm, message.as_bytes(), &signature)) {
        return Err(TokenFault::Unsigned);
    }
    let claims = serde_json::from_slice(&bytes(payload)?).map_err(|_| wrong)?;
    check(&claims, algorithm, expected).map_err(TokenFault::Error)?;
    Ok(claims)
}

fn check(claims: &Map<String, Value>, algorithm: Algorithm, expected: Expected<'_>) -> Result<(), OidcError> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(expected.issuer) {
        return Err(OidcError::Issuer);
    }
    if !is_for(claims, expected.client_id) || text("nonce") != Some(expected.nonce) {
        return Err(OidcError::Token);
    }
    if text("sub").is_none_or(|subject| subject.is_empty() || subject.len() > 255) {
        return Err(OidcError::Token);
    }
    let now = expected.now.seconds();
    let time = |name: &str| claims.get(name).map(seconds);
    let (Some(Some(ends)), Some(Some(issued))) = (time("exp"), time("iat")) else { return Err(OidcError::Token) };
    let begins = match time("nbf") {
        Some(begins) => begins.ok_or(OidcError::Token)?,
        None => issued,
    };
    let is_over = ends.saturating_add(LEEWAY_SECONDS) <= now;
    if is_over || issued.max(begins).saturating_sub(LEEWAY_SECONDS) > now {
        return Err(OidcError::Time);
    }
    match (claims.get("at_hash"), expected.access_token) {
        (None, _) => Ok(()),
        (Some(Value::String(hash)), Some(access_token)) if *hash == half_hash(algorithm, access_token) => Ok(()),
        (Some(_), _) => Err(OidcError::Token),
    }
}

/// Returns `true` if the token is for this client, and was given to it where it is for others too.
fn is_for(claims: &Map<String, Value>, client_id: &str) -> bool {
    let (names, others) = match claims.get("aud") {
        Some(Value::String(audience)) => (audience == client_id, false),
        Some(Value::Array(all)) => (all.iter().any(|audience| audience == client_id), all.len() > 1),
        _ => (false, false),
    };
    let is_given = match claims.get("azp") {
        Some(party) => party == client_id,
        None => !others,
    };
    names && is_given
}

/// Reads a time in seconds; some issuers write fractions.
fn seconds(value: &Value) -> Option<i64> {
    // Beyond the range it becomes the range's end, which no check passes.
    let rounded = |seconds: f64| seconds as i64;
    value.as_i64().or_else(|| value.as_f64().filter(|seconds| seconds.is_finite()).map(rounded))
}

fn half_hash(algorithm: Algorithm, text: &str) -> String {
    let hash = match algorithm {
        Algorithm::Es256 | Algorithm::Es256Der | Algorithm::Rs256 | Algorithm::Ps256 => Sha256::digest(text).to_vec(),
        Algorithm::Es384 => Sha384::digest(text).to_vec(),
        Algorithm::Ed25519 => Sha512::digest(text).to_vec(),
    };
    URL_SAFE_NO_PAD.encode(&hash[..hash.len() / 2])
}

#[cfg(test)]
#[path = "id_token_tests.rs"]
mod tests;
