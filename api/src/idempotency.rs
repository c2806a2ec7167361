//! `Idempotency-Key`: a repeated POST gets the first answer again and is not carried out again.
//!
//! The answer is stored in the transaction of the command, so that neither exists without the other. An answer that
//! shows a secret once is stored sealed. Of a request only a keyed digest is stored: a plain one would let a reader of
//! the rows test guesses of its credential.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use keyway_domain::{SecretId, TenantId, Timestamp};
use keyway_store::{
    StoreError, TenantKeyCache, TenantTx, Tx,
    idempotency::{self, StoredAnswer},
};
use keyway_vault::VaultError;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    answer::{Answer, wiped},
    code::Code,
    error::ApiError,
};

/// Name of the header.
pub(crate) const HEADER: &str = "idempotency-key";
const MAX_KEY_CHARS: usize = 255;
const SECRET_VERSION: i32 = 1;

/// Keys whose first request is under way in this process. Across processes the stored row decides.
#[derive(Clone, Default)]
pub(crate) struct InFlight(Arc<Mutex<HashSet<Scope>>>);

/// Scope in which a key is unique.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Scope {
    tenant_id: TenantId,
    route: &'static str,
    key: String,
}

/// Right to carry out the request with one key; released on drop.
pub(crate) struct Reservation {
    scope: Scope,
    digest: [u8; 32],
    in_flight: InFlight,
}

/// First line of a stored answer, before the body.
#[derive(Serialize, Deserialize)]
struct Head {
    location: Option<String>,
    etag: Option<String>,
    sealed: bool,
}

impl Head {
    fn of(answer: &Answer) -> Self {
        let header = |name| answer.header(&name).map(str::to_owned);
        Self { location: header(header::LOCATION), etag: header(header::ETAG), sealed: answer.is_secret() }
    }

    fn before(&self, content: &[u8]) -> Result<Vec<u8>, ApiError> {
        let head = serde_json::to_vec(self).map_err(|_| unreadable())?;
        Ok([head.as_slice(), b"\n", content].concat())
    }

    fn split(response: &[u8]) -> Result<(Self, &[u8]), ApiError> {
        let end = response.iter().position(|byte| *byte == b'\n').ok_or_else(unreadable)?;
        let head = serde_json::from_slice(&response[..end]).map_err(|_| unreadable())?;
        Ok((head, &response[end + 1..]))
    }

    fn headers(self) -> Vec<(HeaderName, HeaderValue)> {
        let named = [(header::LOCATION, self.location), (header::ETAG, self.etag)];
        named.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::try_from(value?).ok()?))).collect()
    }
}

fn unreadable() -> ApiError {
    ApiError::new(Code::Internal, "the stored answer is not readable; send the request with a fresh Idempotency-Key")
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.in_flight.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.scope);
    }
}

impl InFlight {
    /// Reserves the request's key; `None` if it has none.
    ///
    /// # Errors
    /// 400 for an invalid key, 503 while the vault is sealed, 409 while another request with the key is under way.
    pub(crate) fn reserve(
        &self,
        tenant_id: TenantId,
        route: &'static str,
        headers: &HeaderMap,
        digest: impl FnOnce() -> Result<[u8; 32], VaultError>,
    ) -> Result<Option<Reservation>, ApiError> {
        let Some(value) = headers.get(HEADER) else { return Ok(None) };
        let key = value.to_str().ok().filter(|key| !key.is_empty() && key.len() <= MAX_KEY_CHARS);
        let key = key.ok_or_else(|| {
            ApiError::parameter(format!(
                "the header Idempotency-Key must have 1 to {MAX_KEY_CHARS} printable characters"
            ))
        })?;
        let scope = Scope { tenant_id, route, key: key.to_owned() };
        let digest = digest()?;
        if !self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(scope.clone()) {
            let message = "a request with this Idempotency-Key is being carried out; send it again in a second";
            return Err(ApiError::new(Code::InFlight, message).retry_after(1));
        }
        Ok(Some(Reservation { scope, digest, in_flight: self.clone() }))
    }
}

impl Reservation {
    /// Returns the stored answer for this key, if any.
    ///
    /// # Errors
    /// 422 if the key was used for another request.
    pub(crate) async fn earlier(&self, keys: &TenantKeyCache, tx: &TenantTx) -> Result<Option<Answer>, ApiError> {
        let Some(stored) = self.stored(tx).await? else { return Ok(None) };
        let (head, content) = Head::split(&stored.response)?;
        let body = if head.sealed {
            let keys = keys.by_id(tx, keyway_vault::sealed_under(content)?).await?;
            wiped(keys.open(self.secret_id(), SECRET_VERSION, content)?)
        } else {
            Bytes::copy_from_slice(content)
        };
        Ok(Some(Answer::again(stored.status, head.headers(), body)))
    }

    /// Stores the answer, to be committed with its command.
    ///
    /// # Errors
    /// 409 if another process has stored an answer meanwhile.
    pub(crate) async fn keep(
        &self,
        keys: &TenantKeyCache,
        tx: &TenantTx,
        answer: &Answer,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        if !answer.is_secret() {
            return self.keep_open(tx, answer, now).await;
        }
        let envelope = keys.current(tx).await?.seal(self.secret_id(), SECRET_VERSION, answer.body().plain())?;
        self.store(tx, answer, Head::of(answer).before(&envelope)?, now).await
    }

    /// Works like [`Self::earlier`], for answers that are never sealed.
    ///
    /// # Errors
    /// As for [`Self::earlier`].
    pub(crate) async fn earlier_open(&self, tx: &impl Tx) -> Result<Option<Answer>, ApiError> {
        let Some(stored) = self.stored(tx).await? else { return Ok(None) };
        let (head, content) = Head::split(&stored.response)?;
        Ok(Some(Answer::again(stored.status, head.headers(), Bytes::copy_from_slice(content))))
    }

    /// Works like [`Self::keep`], for answers that show no secret.
    ///
    /// # Errors
    /// As for [`Self::keep`].
    pub(crate) async fn keep_open(&self, tx: &impl Tx, answer: &Answer, now: Timestamp) -> Result<(), ApiError> {
        self.store(tx, answer, Head::of(answer).before(answer.body().plain())?, now).await
    }

    async fn stored(&self, tx: &impl Tx) -> Result<Option<StoredAnswer>, ApiError> {
        let Scope { tenant_id, route, key } = &self.scope;
        let stored = idempotency::find(tx, *tenant_id, route, key).await?;
        if stored.as_ref().is_some_and(|stored| stored.request_sha256 != self.digest) {
            let message = "this Idempotency-Key was used for another request; use a fresh key for each request";
            return Err(ApiError::new(Code::KeyReused, message));
        }
        Ok(stored)
    }

    async fn store(&self, tx: &impl Tx, answer: &Answer, response: Vec<u8>, now: Timestamp) -> Result<(), ApiError> {
        let Scope { tenant_id, route, key } = &self.scope;
        let answer = StoredAnswer { request_sha256: self.digest, status: answer.status(), response };
        let stored = idempotency::insert(tx, *tenant_id, route, key, answer, now).await;
        stored.map_err(|error| match error {
            StoreError::Conflict => {
                let message = "another request with this Idempotency-Key has just been carried out; send it again";
                ApiError::new(Code::InFlight, message).retry_after(1)
            }
            error => error.into(),
        })
    }

    /// Derives the id to which a sealed answer is bound from its key, the same in every process.
    fn secret_id(&self) -> SecretId {
        let name = format!("{}\n{}", self.scope.route, self.scope.key);
        SecretId::from_uuid(Uuid::new_v5(&self.scope.tenant_id.uuid(), name.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_key_is_carried_out_by_one_request_at_a_time_in_its_scope() {
        let in_flight = InFlight::default();
        let (tenant, other) = (TenantId::new(), TenantId::new());
        let mut headers = HeaderMap::new();
        assert!(in_flight.reserve(tenant, "POST /a", &headers, || Ok([0; 32])).unwrap().is_none());
        headers.insert(HEADER, HeaderValue::from_static("k"));
        let reserve = |tenant, route| in_flight.reserve(tenant, route, &headers, || Ok([0; 32]));
        let held = reserve(tenant, "POST /a").unwrap();
        assert!(reserve(tenant, "POST /a").is_err_and(|error| error.is(Code::InFlight)));
        assert!(reserve(other, "POST /a").is_ok() && reserve(tenant, "POST /b").is_ok());
        drop(held);
        assert!(reserve(tenant, "POST /a").unwrap().is_some());
    }
}
