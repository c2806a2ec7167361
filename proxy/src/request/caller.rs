//! The caller: its virtual key, from any place where an SDK puts its key, and the principal behind it.
//!
//! The whole key is hashed before it is compared with anything; the key itself is never stored or logged.

use std::time::Duration;

use http::{HeaderMap, HeaderName, header};
use keyway_domain::{Actor, AuthFailure, AuthFailureKind, Limits, ProjectId, TenantId, Timestamp, VirtualKeyId};
use keyway_store::{Store, StoreError, virtual_keys};
use keyway_vault::token::VirtualKeyToken;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    refusal::{Code, Refusal},
    warm::Loaded,
};

/// Headers in which SDKs send their key, in order of precedence.
pub(crate) const KEY_HEADERS: [HeaderName; 4] = [
    header::AUTHORIZATION,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-goog-api-key"),
];

/// SHA-256 of a whole virtual key, which stands for the key in memory and in the store.
pub(crate) type KeyHash = [u8; 32];

/// Result of looking up a virtual key.
pub(crate) enum KeyHolder {
    /// The key exists, usable or not.
    Known(Principal),
    /// The key does not exist.
    Unknown,
}

/// The holder of a virtual key.
pub(crate) struct Principal {
    pub(crate) tenant_id: TenantId,
    pub(crate) project_id: ProjectId,
    pub(crate) virtual_key_id: VirtualKeyId,
    pub(crate) limits: Limits,
    /// Time to live of cached answers to its calls; `None`: not cached, unless asked for.
    pub(crate) cache_ttl: Option<Duration>,
    expires_at: Option<Timestamp>,
    revoked: bool,
}

impl KeyHolder {
    /// Returns the principal, if its key may be used at `now`.
    pub(crate) fn usable(&self, now: Timestamp) -> Result<&Principal, Refusal> {
        match self {
            Self::Unknown => Err(Refusal::new(Code::InvalidKey, "this is not a virtual key of this installation")),
            Self::Known(principal) if principal.revoked => {
                Err(Refusal::new(Code::RevokedKey, "this virtual key was revoked; use another one"))
            }
            Self::Known(principal) if principal.expires_at.is_some_and(|at| at <= now) => {
                Err(Refusal::new(Code::ExpiredKey, "this virtual key has expired; use another one"))
            }
            Self::Known(principal) => Ok(principal),
        }
    }

    /// Returns the time at which the key expires.
    pub(crate) const fn expires_at(&self) -> Option<Timestamp> {
        match self {
            Self::Known(principal) => principal.expires_at,
            Self::Unknown => None,
        }
    }

    /// Returns the scope by which invalidations name the key.
    pub(crate) fn scope(&self) -> Uuid {
        match self {
            Self::Known(principal) => principal.virtual_key_id.uuid(),
            Self::Unknown => Uuid::nil(),
        }
    }

    /// Loads the key with this hash from the store.
    pub(crate) async fn load(store: &Store, hash: &KeyHash) -> Result<Loaded<Self>, StoreError> {
        let tx = store.system_read().await?;
        Ok(match virtual_keys::find_by_token_hash(&tx, hash).await? {
            Some(row) => Self::known(&row),
            None => Loaded::absent(Self::Unknown),
        })
    }

    /// Builds the principal from a row of the store.
    pub(crate) fn known(row: &virtual_keys::VirtualKeyRow) -> Loaded<Self> {
        let principal = Principal {
            tenant_id: row.tenant_id,
            project_id: row.project_id,
            virtual_key_id: row.id,
            limits: row.limits,
            cache_ttl: row.cache_ttl_seconds.and_then(|ttl| u64::try_from(ttl).ok()).map(Duration::from_secs),
            expires_at: row.expires_at,
            revoked: row.revoked_at.is_some(),
        };
        Loaded::present(Self::Known(principal), row.id.uuid())
    }
}

/// Returns the hash of the virtual key in a request: from a header, or from the query (`in_query`) in Google's shape. A
/// malformed key is refused without a look-up.
pub(crate) fn key_hash(headers: &HeaderMap, in_query: Option<&str>) -> Result<KeyHash, Refusal> {
    let mut seen = in_query.is_some();
    for name in KEY_HEADERS {
        let Some(value) = headers.get(&name) else { continue };
        seen = true;
        let text = value.to_str().unwrap_or_default().trim();
        let key = if name == header::AUTHORIZATION { bearer(text) } else { text };
        if VirtualKeyToken::is_well_formed(key) {
            return Ok(Sha256::digest(key.as_bytes()).into());
        }
    }
    if let Some(key) = in_query.filter(|key| VirtualKeyToken::is_well_formed(key)) {
        return Ok(Sha256::digest(key.as_bytes()).into());
    }
    Err(if seen {
        Refusal::new(
            Code::InvalidKey,
            "this is not a virtual key; it begins with kw_live_ and was shown when it was made",
        )
    } else {
        Refusal::new(Code::MissingKey, "send a virtual key: Authorization: Bearer kw_live_...")
    })
}

/// Returns the failure of a refused key; `None`: none was sent, or the look-up failed.
pub(crate) fn failure(refusal: &Refusal, holder: Option<&KeyHolder>) -> Option<AuthFailure> {
    let known = |kind, it: &Principal| AuthFailure {
        tenant_id: Some(it.tenant_id),
        actor: Some(Actor::VirtualKey { id: it.virtual_key_id }),
        target: Some(it.virtual_key_id.to_string()),
        ..AuthFailure::of(kind)
    };
    match (refusal.code(), holder) {
        (Code::InvalidKey, _) => Some(AuthFailure::of(AuthFailureKind::WrongVirtualKey)),
        (Code::RevokedKey, Some(KeyHolder::Known(it))) => Some(known(AuthFailureKind::RevokedVirtualKey, it)),
        (Code::ExpiredKey, Some(KeyHolder::Known(it))) => Some(known(AuthFailureKind::ExpiredVirtualKey, it)),
        _ => None,
    }
}

fn bearer(text: &str) -> &str {
    match text.split_once(' ') {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => key.trim(),
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_key_is_found_wherever_an_sdk_puts_it() {
        let token = VirtualKeyToken::generate().unwrap();
        for (name, prefix) in [
            ("authorization", "Bearer "),
            ("authorization", "bearer "),
            ("x-api-key", ""),
            ("api-key", ""),
            ("x-goog-api-key", ""),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", HeaderValue::from_static("Basic eDp5"));
            headers.insert(name, HeaderValue::try_from(format!("{prefix}{}", token.plain())).unwrap());
            assert_eq!(key_hash(&headers, None).unwrap(), token.sha256(), "{name}");
        }
        assert_eq!(key_hash(&HeaderMap::new(), Some(token.plain())).unwrap(), token.sha256());
    }

    #[test]
    fn a_mistyped_or_missing_key_is_refused_offline() {
        let mut headers = HeaderMap::new();
        assert_eq!(key_hash(&headers, None).unwrap_err().code(), Code::MissingKey);
        assert_eq!(key_hash(&headers, Some("AIza")).unwrap_err().code(), Code::InvalidKey);
        let mut text = VirtualKeyToken::generate().unwrap().plain().to_owned();
        text.replace_range(12..13, if &text[12..13] == "a" { "b" } else { "a" });
        headers.insert("x-api-key", HeaderValue::try_from(text).unwrap());
        assert_eq!(key_hash(&headers, None).unwrap_err().code(), Code::InvalidKey);
        headers.insert("authorization", HeaderValue::from_bytes(b"Bearer \xff").unwrap());
        assert_eq!(key_hash(&headers, None).unwrap_err().code(), Code::InvalidKey);
    }
}
