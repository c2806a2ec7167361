//! The caller: its virtual key, or the token of a service that calls as one, from any place where an SDK puts its key, and
//! the principal behind it.
//!
//! The whole key is hashed before it is compared with anything; the key itself is never stored or logged.

use std::time::Duration;

use http::{HeaderMap, HeaderName, header};
use keyway_domain::{
    Actor, AuthFailure, AuthFailureKind, Limits, Permission, ProjectId, TenantId, Timestamp, UserId, VirtualKeyId,
};
use keyway_store::{
    Store, StoreError, SystemTx,
    services::{self, ServiceRow},
    virtual_keys::{self, VirtualKeyRow},
};
use keyway_vault::{SentServiceToken, token::VirtualKeyToken};
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

/// SHA-256 of a whole virtual key or service token, which stands for the key in memory and in the store.
pub(crate) type KeyHash = [u8; 32];

/// Result of looking up a virtual key, or a service's token.
pub(crate) enum KeyHolder {
    /// The key exists, usable or not.
    Known(Principal),
    /// The token is a service's that has no virtual key, or not the permission to call.
    CallsNobody,
    /// The key does not exist.
    Unknown,
}

/// The holder of a virtual key, or a service that calls as one.
pub(crate) struct Principal {
    pub(crate) tenant_id: TenantId,
    pub(crate) project_id: ProjectId,
    pub(crate) virtual_key_id: VirtualKeyId,
    pub(crate) limits: Limits,
    /// Time to live of cached answers to its calls; `None`: not cached, unless asked for.
    pub(crate) cache_ttl: Option<Duration>,
    expires_at: Option<Timestamp>,
    revoked: bool,
    /// Ids by which invalidations name what it depends on.
    scopes: Vec<Uuid>,
}

impl KeyHolder {
    /// Returns the principal, if its key may be used at `now`.
    pub(crate) fn usable(&self, now: Timestamp) -> Result<&Principal, Refusal> {
        match self {
            Self::Unknown => Err(Refusal::new(Code::InvalidKey, "this is not a virtual key of this installation")),
            Self::CallsNobody => Err(Refusal::new(
                Code::InvalidKey,
                "this service calls no providers: that needs integrations.use, which its maker has too, and the \
                 `virtual_key_id` that it was made with",
            )),
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
            Self::CallsNobody | Self::Unknown => None,
        }
    }

    /// Returns the scopes by which invalidations name the key, and what it depends on.
    pub(crate) fn scopes(&self) -> &[Uuid] {
        match self {
            Self::Known(principal) => &principal.scopes,
            Self::CallsNobody | Self::Unknown => &[],
        }
    }

    /// Loads the key with this hash from the store.
    pub(crate) async fn load(store: &Store, hash: &KeyHash) -> Result<Loaded<Self>, StoreError> {
        let tx = store.system_read().await?;
        if let Some(row) = virtual_keys::find_by_token_hash(&tx, hash).await? {
            return Ok(Self::known(&row));
        }
        let now = Timestamp::now();
        let service = services::find_by_token_hash(&tx, hash).await?.filter(|service| service.is_valid(now));
        let Some(service) = service else { return Ok(Loaded::absent(Self::Unknown)) };
        let Some(key) = key_of(&tx, &service).await? else { return Ok(Loaded::absent(Self::CallsNobody)) };
        drop(tx);
        let tx = store.system().await?;
        services::touch(&tx, service.id, now).await?;
        tx.commit().await?;
        Ok(Self::of_service(&key, &service))
    }

    /// Builds the principal from a row of the store.
    pub(crate) fn known(row: &VirtualKeyRow) -> Loaded<Self> {
        let scopes = vec![row.id.uuid()];
        Loaded::present_in(Self::Known(Principal::of(row, scopes.clone())), scopes)
    }

    /// Builds the principal of a service that calls as this key.
    fn of_service(key: &VirtualKeyRow, service: &ServiceRow) -> Loaded<Self> {
        let ids = [Some(key.id.uuid()), Some(service.id.uuid()), service.made_by.map(UserId::uuid)];
        let scopes: Vec<_> = ids.into_iter().flatten().collect();
        let principal = Principal::of(key, scopes.clone());
        let ends_at = principal.expires_at.map_or(service.expires_at, |at| at.min(service.expires_at));
        Loaded::present_in(Self::Known(Principal { expires_at: Some(ends_at), ..principal }), scopes)
    }
}

impl Principal {
    fn of(row: &VirtualKeyRow, scopes: Vec<Uuid>) -> Self {
        Self {
            tenant_id: row.tenant_id,
            project_id: row.project_id,
            virtual_key_id: row.id,
            limits: row.limits,
            cache_ttl: row.cache_ttl_seconds.and_then(|ttl| u64::try_from(ttl).ok()).map(Duration::from_secs),
            expires_at: row.expires_at,
            revoked: row.revoked_at.is_some(),
            scopes,
        }
    }
}

/// Returns the virtual key that a service calls as; `None`: it has none, or may not call now.
async fn key_of(tx: &SystemTx, service: &ServiceRow) -> Result<Option<VirtualKeyRow>, StoreError> {
    let Some(id) = service.virtual_key_id else { return Ok(None) };
    if !services::permissions_now(tx, service).await?.allow(Permission::CALL) {
        return Ok(None);
    }
    virtual_keys::find_of(tx, service.tenant_id, id).await
}

/// Returns the hash of the virtual key in a request: from a header, or from the query (`in_query`) in Google's shape. In a
/// header a service's token may stand in its place. A malformed key is refused without a look-up.
pub(crate) fn key_hash(headers: &HeaderMap, in_query: Option<&str>) -> Result<KeyHash, Refusal> {
    let mut seen = in_query.is_some();
    for name in KEY_HEADERS {
        let Some(value) = headers.get(&name) else { continue };
        seen = true;
        let text = value.to_str().unwrap_or_default().trim();
        let key = if name == header::AUTHORIZATION { bearer(text) } else { text };
        if VirtualKeyToken::is_well_formed(key) || SentServiceToken::read(key).is_some() {
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
    use keyway_vault::ServiceToken;

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
        let (service, mut headers) = (ServiceToken::generate().unwrap(), HeaderMap::new());
        headers.insert("x-api-key", HeaderValue::try_from(service.plain()).unwrap());
        assert_eq!(key_hash(&headers, None).unwrap(), service.sha256());
        assert_eq!(key_hash(&HeaderMap::new(), Some(service.plain())).unwrap_err().code(), Code::InvalidKey);
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
