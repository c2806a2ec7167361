//! One management request, matched, authorised and read: the argument of a handler.

use std::{str::FromStr, sync::Arc};

use http::{HeaderMap, header};
use keyway_domain::IdError;
use keyway_store::{StoreError, TenantTx};
use keyway_vault::SecretBytes;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::{
    App,
    access::{Access, Scope},
    answer::Answer,
    auth::Caller,
    body,
    code::Code,
    cookie,
    error::ApiError,
    etag,
    idempotency::Reservation,
    principal::Principal,
    work::{self, Command},
};

/// Argument of a handler.
pub(crate) struct Call {
    pub(crate) app: Arc<App>,
    pub(crate) by: Caller,
    /// Method and template of the matched row.
    pub(crate) route: &'static str,
    /// Access that the row requires.
    pub(crate) access: Access,
    pub(crate) path: String,
    pub(crate) params: Vec<String>,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: SecretBytes,
}

impl Call {
    /// Returns the id in the path. A text that is no id of this kind exists nowhere: 404.
    pub(crate) fn id<T: FromStr<Err = IdError>>(&self, what: &'static str) -> Result<T, ApiError> {
        self.param().parse().map_err(|_| ApiError::not_found(what))
    }

    /// Returns the text in the path.
    pub(crate) fn param(&self) -> &str {
        self.params.first().map_or("", String::as_str)
    }

    /// Returns the address that people open Keyway at, without a slash at its end: the configured one, or that of the
    /// request.
    pub(crate) fn origin(&self) -> String {
        let host = || self.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let of_request = || format!("{}://{}", cookie::scheme(host()), host());
        self.app.public_url.clone().unwrap_or_else(of_request)
    }

    /// Parses the query, strictly.
    pub(crate) fn query<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        body::query(&self.query)
    }

    /// Parses the JSON body, strictly.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        body::json(&self.headers, &self.body)
    }

    /// Parses the JSON body; an absent one gives the default.
    pub(crate) fn json_or_default<T: DeserializeOwned + Default>(&self) -> Result<T, ApiError> {
        if self.body.plain().is_empty() { Ok(T::default()) } else { self.json() }
    }

    /// Returns the version in `If-Match`.
    pub(crate) fn expected_version(&self) -> Result<Option<i32>, ApiError> {
        etag::expected(&self.headers)
    }

    /// Begins a transaction that reads the tenant's rows.
    pub(crate) async fn read(&self) -> Result<TenantTx, StoreError> {
        self.app.store.tenant_read(self.by.tenant_id).await
    }

    /// Checks that the call may touch rows outside its tenant.
    ///
    /// # Errors
    /// 403 for all but the operator, and on a route that is about the tenant alone.
    pub(crate) fn beyond_tenant(&self) -> Result<(), ApiError> {
        match self.access.scope() {
            Some(Scope::TenantAndBeyond | Scope::Installation) if self.by.principal.is_operator() => Ok(()),
            Some(Scope::TenantAndBeyond | Scope::Installation) => {
                Err(ApiError::new(Code::NotAllowed, "rows that are no tenant's are the operator's: use the admin key"))
            }
            _ => Err(ApiError::new(Code::NotAllowed, "this route is about one tenant alone")),
        }
    }

    /// Reserves the request's `Idempotency-Key`, if it is a POST with one.
    pub(crate) fn reserve(&self) -> Result<Option<Reservation>, ApiError> {
        if !self.route.starts_with("POST ") {
            return Ok(None);
        }
        // Two principals that choose the same key must never get each other's answer.
        let actor = match &*self.by.principal {
            Principal::Operator(_) => String::new(),
            // Its stored form: the next build has to find what this one keeps.
            principal => json!(principal.actor()).to_string(),
        };
        let parts = [self.path.as_bytes(), self.body.plain(), actor.as_bytes()];
        let request = if actor.is_empty() { &parts[..2] } else { &parts[..] };
        let digest = || self.app.keys.vault().request_digest(self.by.tenant_id, request);
        self.app.in_flight.reserve(self.by.tenant_id, self.route, &self.headers, digest)
    }

    /// Carries out a command; if it finds no row and the default tenant asks, `beyond` looks among rows without a
    /// tenant, and keeps its answer in the given reservation.
    ///
    /// # Errors
    /// 403 where `beyond` would run on a route that is about the tenant alone.
    pub(crate) async fn commit_or_beyond<F: Future<Output = Result<Answer, ApiError>>>(
        &self,
        command: impl Command,
        beyond: impl FnOnce(Option<Reservation>) -> F,
    ) -> Result<Answer, ApiError> {
        match self.commit(command).await {
            Err(error)
                if error.is(Code::NotFound)
                    && self.by.tenant_id == self.app.default_tenant
                    && self.by.principal.is_operator() =>
            {
                self.beyond_tenant()?;
                beyond(self.reserve()?).await
            }
            answer => answer,
        }
    }

    /// Carries out a command in one transaction, once per `Idempotency-Key`.
    pub(crate) async fn commit(&self, command: impl Command) -> Result<Answer, ApiError> {
        let reservation = self.reserve()?;
        let starts_work = command.starts_work();
        let admit = || if starts_work { self.app.admission.check() } else { Ok(()) };
        if reservation.is_none() {
            admit()?;
        }
        work::carry_out(&self.app, &self.by, command, (reservation.as_ref(), admit)).await
    }
}
