//! `Idempotency-Key`: a POST that is sent again is answered again, not carried out again.
//!
//! The answer is stored in the transaction of what it answers, so there is no moment at which one
//! exists without the other. An answer that shows a secret once is stored sealed.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use http::HeaderMap;
use keyway_domain::{SecretId, TenantId, Timestamp};
use keyway_store::{
    StoreError, TenantKeyCache, TenantTx, Tx,
    idempotency::{self, StoredAnswer},
};
use keyway_vault::SecretBytes;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    answer::Answer,
    error::{ApiError, Code},
};

/// The header.
pub(crate) const HEADER: &str = "idempotency-key";
const MAX_KEY_CHARS: usize = 255;
/// Marks a stored answer as sealed; JSON never begins with it.
const SEALED: u8 = 0;
const SECRET_VERSION: i32 = 1;

/// The keys whose first request this process is carrying out. Across processes the row decides.
#[derive(Clone, Default)]
pub(crate) struct InFlight(Arc<Mutex<HashSet<Scope>>>);

/// What one key is unique in.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Scope {
    tenant_id: TenantId,
    route: &'static str,
    key: String,
}

/// The right to carry out the request with one key; gives the key back when dropped.
pub(crate) struct Reservation {
    scope: Scope,
    request_sha256: [u8; 32],
    in_flight: InFlight,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.in_flight.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.scope);
    }
}

impl InFlight {
    /// Reserves the request's key; `None` when it has none.
    ///
    /// # Errors
    /// 400 for an unusable key, 409 while another request with it is being carried out.
    pub(crate) fn reserve(
        &self,
        tenant_id: TenantId,
        route: &'static str,
        headers: &HeaderMap,
        target: &str,
        body: &SecretBytes,
    ) -> Result<Option<Reservation>, ApiError> {
        let Some(value) = headers.get(HEADER) else { return Ok(None) };
        let key = value.to_str().ok().filter(|key| !key.is_empty() && key.len() <= MAX_KEY_CHARS);
        let key = key.ok_or_else(|| {
            ApiError::parameter(format!(
                "the header Idempotency-Key must have 1 to {MAX_KEY_CHARS} printable characters"
            ))
        })?;
        let scope = Scope { tenant_id, route, key: key.to_owned() };
        if !self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(scope.clone()) {
            let message = "a request with this Idempotency-Key is being carried out; send it again in a second";
            return Err(ApiError::new(Code::InFlight, message).retry_after(1));
        }
        let request_sha256 =
            Sha256::new().chain_update(target).chain_update([0]).chain_update(body.expose()).finalize();
        Ok(Some(Reservation { scope, request_sha256: request_sha256.into(), in_flight: self.clone() }))
    }
}

impl Reservation {
    /// The answer this key was given before, if any.
    ///
    /// # Errors
    /// 422 when the key was used for another request.
    pub(crate) async fn earlier(&self, keys: &TenantKeyCache, tx: &TenantTx) -> Result<Option<Answer>, ApiError> {
        let Some(stored) = self.stored(tx).await? else { return Ok(None) };
        let body = match stored.response.split_first() {
            Some((&SEALED, envelope)) => {
                let keys = keys.by_id(tx, keyway_vault::sealed_under(envelope)?).await?;
                keys.open(self.secret_id(), SECRET_VERSION, envelope)?.expose().clone()
            }
            _ => stored.response,
        };
        Ok(Some(Answer::again(stored.status, body)))
    }

    /// Stores the answer, to be committed with what it answers.
    ///
    /// # Errors
    /// 409 when another process answered meanwhile.
    pub(crate) async fn keep(
        &self,
        keys: &TenantKeyCache,
        tx: &TenantTx,
        answer: &Answer,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        let body = answer.body();
        let response = if answer.is_secret() {
            let envelope = keys.current(tx).await?.seal(self.secret_id(), SECRET_VERSION, body.expose())?;
            [&[SEALED], envelope.as_slice()].concat()
        } else {
            body.expose().clone()
        };
        self.store(tx, answer.status(), response, now).await
    }

    /// As [`Self::earlier`], for answers that are never sealed.
    ///
    /// # Errors
    /// As [`Self::earlier`].
    pub(crate) async fn earlier_open(&self, tx: &impl Tx) -> Result<Option<Answer>, ApiError> {
        Ok(self.stored(tx).await?.map(|stored| Answer::again(stored.status, stored.response)))
    }

    /// As [`Self::keep`], for answers that show no secret.
    ///
    /// # Errors
    /// As [`Self::keep`].
    pub(crate) async fn keep_open(&self, tx: &impl Tx, answer: &Answer, now: Timestamp) -> Result<(), ApiError> {
        self.store(tx, answer.status(), answer.body().expose().clone(), now).await
    }

    async fn stored(&self, tx: &impl Tx) -> Result<Option<StoredAnswer>, ApiError> {
        let Scope { tenant_id, route, key } = &self.scope;
        let stored = idempotency::find(tx, *tenant_id, route, key).await?;
        if stored.as_ref().is_some_and(|stored| stored.request_sha256 != self.request_sha256) {
            let message = "this Idempotency-Key was used for another request; use a fresh key for each request";
            return Err(ApiError::new(Code::KeyReused, message));
        }
        Ok(stored)
    }

    async fn store(&self, tx: &impl Tx, status: u16, response: Vec<u8>, now: Timestamp) -> Result<(), ApiError> {
        let Scope { tenant_id, route, key } = &self.scope;
        let answer = StoredAnswer { request_sha256: self.request_sha256, status, response };
        let stored = idempotency::insert(tx, *tenant_id, route, key, answer, now).await;
        stored.map_err(|error| match error {
            StoreError::Conflict => {
                let message = "another request with this Idempotency-Key has just been carried out; send it again";
                ApiError::new(Code::InFlight, message).retry_after(1)
            }
            error => error.into(),
        })
    }

    /// Binds a sealed answer to its key: an id that everybody derives alike.
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
        let body = SecretBytes::new(Vec::new());
        assert!(in_flight.reserve(tenant, "POST /a", &headers, "/a", &body).unwrap().is_none());
        headers.insert(HEADER, HeaderValue::from_static("k"));
        let reserve = |tenant, route| in_flight.reserve(tenant, route, &headers, "/a", &body);
        let held = reserve(tenant, "POST /a").unwrap();
        assert!(reserve(tenant, "POST /a").is_err_and(|error| error.is(Code::InFlight)));
        assert!(reserve(other, "POST /a").is_ok() && reserve(tenant, "POST /b").is_ok());
        drop(held);
        assert!(reserve(tenant, "POST /a").unwrap().is_some());
    }
}
