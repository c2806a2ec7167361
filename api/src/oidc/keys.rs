//! The issuer's public keys (RFC 7517), as far as they sign.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;

use crate::signature::{Algorithm, PublicKey};

/// Largest number of keys that is looked at.
const MOST_KEYS: usize = 64;

/// Keys of an issuer.
#[derive(Debug, Default)]
pub(crate) struct KeySet(Vec<Key>);

#[derive(Debug)]
struct Key {
    id: Option<String>,
    /// Algorithm that it is confined to.
    algorithm: Option<String>,
    key: PublicKey,
}

#[derive(Deserialize)]
struct Sent {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct SentKey {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    r#use: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a key set. A key of another kind is passed over; so is one that is not for signatures.
    pub(crate) fn read(json: &[u8]) -> Option<Self> {
        let sent: Sent = serde_json::from_slice(json).ok()?;
        let read = |key| serde_json::from_value::<SentKey>(key).ok().and_then(Key::read);
        Some(Self(sent.keys.into_iter().take(MOST_KEYS).filter_map(read).collect()))
    }

    /// Returns the keys that may have signed: the one with this id, or all that can, where none is named.
    pub(crate) fn candidates<'a>(
        &'a self,
        id: Option<&'a str>,
        name: &'a str,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &'a PublicKey> {
        let is_named = move |key: &&Key| id.is_none() || key.id.as_deref() == id;
        let may = move |key: &&Key| key.algorithm.as_deref().is_none_or(|own| is_same(own, name));
        self.0.iter().filter(is_named).filter(may).map(|key| &key.key).filter(move |key| fits(key, algorithm))
    }
}

impl Key {
    fn read(sent: SentKey) -> Option<Self> {
        if sent.r#use.as_deref().is_some_and(|usage| usage != "sig") {
            return None;
        }
        let bytes = |text: Option<String>| URL_SAFE_NO_PAD.decode(text?).ok();
        let point = |x: Option<Vec<u8>>, y: Option<Vec<u8>>| Some([vec![4], x?, y?].concat());
        let key = match (sent.kty.as_str(), sent.crv.as_deref()) {
            ("RSA", _) => PublicKey::Rsa { n: bytes(sent.n)?, e: bytes(sent.e)? },
            ("EC", Some("P-256")) => PublicKey::P256(point(bytes(sent.x), bytes(sent.y))?),
            ("EC", Some("P-384")) => PublicKey::P384(point(bytes(sent.x), bytes(sent.y))?),
            ("OKP", Some("Ed25519")) => PublicKey::Ed25519(bytes(sent.x)?),
            _ => return None,
        };
        Some(Self { id: sent.kid, algorithm: sent.alg, key })
    }
}

/// Returns the algorithm that a name in a token stands for, if it is accepted. Ed25519 has two names (RFC 8037, 9864).
pub(crate) fn algorithm(name: &str) -> Option<Algorithm> {
    match name {
        "RS256" => Some(Algorithm::Rs256),
        "PS256" => Some(Algorithm::Ps256),
        "ES256" => Some(Algorithm::Es256),
        "ES384" => Some(Algorithm::Es384),
        "EdDSA" | "Ed25519" => Some(Algorithm::Ed25519),
        _ => None,
    }
}

fn is_same(own: &str, name: &str) -> bool {
    own == name || algorithm(own) == Some(Algorithm::Ed25519) && algorithm(name) == Some(Algorithm::Ed25519)
}

const fn fits(key: &PublicKey, algorithm: Algorithm) -> bool {
    match key {
        PublicKey::P256(_) => matches!(algorithm, Algorithm::Es256),
        PublicKey::P384(_) => matches!(algorithm, Algorithm::Es384),
        PublicKey::Ed25519(_) => matches!(algorithm, Algorithm::Ed25519),
        PublicKey::Rsa { .. } => matches!(algorithm, Algorithm::Rs256 | Algorithm::Ps256),
    }
}
