//! Every error of the management API: its code, its status and its JSON; the proxy's own errors are in
//! `proxy/refusal.rs`. A message says what to do. It may name a field; it must never repeat a value the caller sent,
//! because that may be a secret.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, header};
use keyway_content::ContentError;
use keyway_domain::{AuthFailure, RequestId};
use keyway_providers::GuardError;
use keyway_store::{KeyError, StoreError};
use keyway_vault::VaultError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{code::Code, openapi::words};

/// Header with the id of the request, on every response.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// An error to answer with.
#[derive(Debug)]
pub(crate) struct ApiError {
    code: Code,
    message: Cow<'static, str>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Failure at the door that it answers, to be noted before it is answered.
    failure: Option<Box<AuthFailure>>,
}

/// The JSON of every error.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    error: ErrorDetail,
}

/// Error.
#[derive(Serialize, ToSchema)]
struct ErrorDetail {
    /// Kind of the error.
    #[schema(value_type = words::ErrorType)]
    r#type: &'static str,
    /// Code, one word to match on; all codes are listed at the top of the document, and later builds may have more.
    #[schema(example = "duplicate_key")]
    code: &'static str,
    /// Sentence that says what to do.
    message: Cow<'static, str>,
    /// Id of the request, as in the header `x-request-id` and in the logs.
    #[schema(example = "req_0198c0de0198c0de0198c0de0198c0de")]
    request_id: String,
}

impl ApiError {
    /// Builds an error with a sentence for the caller.
    pub(crate) fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), headers: Vec::new(), failure: None }
    }

    /// Builds a 404: no resource of kind `what` has this id in this tenant.
    pub(crate) fn not_found(what: &'static str) -> Self {
        Self::new(Code::NotFound, format!("there is no such {what} in this tenant"))
    }

    /// Builds a 422 for an invalid field; `message` names it.
    pub(crate) fn field(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::InvalidField, message)
    }

    /// Builds a 400 for an invalid query parameter or header; `message` names it.
    pub(crate) fn parameter(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::InvalidParameter, message)
    }

    /// Builds a 409; `message` says why.
    pub(crate) fn conflict(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Conflict, message)
    }

    /// Returns `true` if the error has this code.
    pub(crate) fn is(&self, code: Code) -> bool {
        self.code == code
    }

    /// Returns the code.
    pub(crate) const fn code(&self) -> Code {
        self.code
    }

    /// Returns the sentence, for callers without HTTP.
    pub(crate) fn into_message(self) -> String {
        self.message.into_owned()
    }

    /// Marks it as the answer to a failure at the door, which is counted and audited.
    pub(crate) fn failing(mut self, failure: AuthFailure) -> Self {
        self.failure = Some(Box::new(failure));
        self
    }

    /// Takes out the failure that it answers.
    pub(crate) fn take_failure(&mut self) -> Option<AuthFailure> {
        self.failure.take().map(|failure| *failure)
    }

    /// Adds a header.
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Adds `Retry-After`, rounded up to whole seconds.
    pub(crate) fn retry_after_wait(self, wait: Duration) -> Self {
        self.retry_after(u16::try_from(wait.as_millis().div_ceil(1000).max(1)).unwrap_or(u16::MAX))
    }

    /// Adds `Retry-After` in seconds.
    pub(crate) fn retry_after(self, seconds: u16) -> Self {
        self.with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// Converts an error of the store; a conflict gets `message`, which is more specific than the store's.
    pub(crate) fn or_conflict(error: StoreError, message: &'static str) -> Self {
        match error {
            StoreError::Conflict => Self::conflict(message),
            error => error.into(),
        }
    }

    /// Converts an error of the store; a name in use gets `message`, which is more specific than the store's.
    pub(crate) fn or_taken(error: StoreError, message: &'static str) -> Self {
        match error {
            StoreError::NameTaken => Self::new(Code::NameTaken, message),
            error => error.into(),
        }
    }

    /// Converts the error to a response.
    pub(crate) fn into_response(self, request_id: RequestId) -> Response<Bytes> {
        let status = self.code.status();
        if status.is_server_error() {
            tracing::warn!(%request_id, code = self.code.text(), why = %self.message, "a request could not be served");
        }
        let error = ErrorDetail {
            r#type: self.code.kind(),
            code: self.code.text(),
            message: self.message,
            request_id: request_id.to_string(),
        };
        let body = serde_json::to_vec(&ErrorBody { error }).unwrap_or_default();
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.extend(self.headers);
        stamp(&mut response, request_id);
        response
    }
}

/// Puts the request's id on a response.
pub(crate) fn stamp<B>(response: &mut Response<B>, request_id: RequestId) {
    if let Ok(value) = HeaderValue::try_from(request_id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::not_found("thing"),
            StoreError::Duplicate { existing } => Self::new(
                Code::DuplicateKey,
                format!("this project already has this key for this provider in the integration {existing}"),
            ),
            StoreError::NameTaken => Self::new(Code::NameTaken, "the name is already in use; choose another one"),
            StoreError::Full { most } => {
                Self::new(Code::LimitReached, format!("a tenant may have at most {most} of these; delete one first"))
            }
            StoreError::Stale => Self::new(
                Code::PreconditionFailed,
                "it has changed since it was read; read it again and repeat the change with its new ETag",
            ),
            StoreError::LastOwner => {
                Self::new(Code::LastOwner, "a tenant needs an owner: make another member one first")
            }
            StoreError::Conflict => Self::conflict("something else refers to it; remove that first"),
            StoreError::Unavailable(_) => {
                tracing::warn!(%error, "the database is not available");
                Self::new(Code::Unavailable, "the database is not available at the moment; try again").retry_after(1)
            }
            error => {
                tracing::error!(%error, "a query failed");
                Self::new(
                    Code::Internal,
                    "something went wrong in Keyway; the log has the details under the request id",
                )
            }
        }
    }
}

impl From<VaultError> for ApiError {
    fn from(error: VaultError) -> Self {
        tracing::error!(%error, "the vault did not do its work");
        match error {
            VaultError::StoredHash => Self::new(
                Code::Internal,
                "the stored password is not readable by this build; run the newer build that wrote it",
            ),
            VaultError::Sealed(_) => {
                Self::new(Code::Sealed, "the vault is sealed; an operator has to restore the keyring").retry_after(30)
            }
            _ => Self::new(
                Code::Sealed,
                "the tenant's keys do not open with this keyring; an operator has to restore it",
            ),
        }
    }
}

impl From<KeyError> for ApiError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Vault(error) => error.into(),
            KeyError::Store(error) => error.into(),
        }
    }
}

impl From<ContentError> for ApiError {
    fn from(error: ContentError) -> Self {
        match error {
            ContentError::Query(message) => Self::parameter(message),
            ContentError::TooLarge { .. } | ContentError::Invalid { .. } => Self::field(error.to_string()),
        }
    }
}

impl From<GuardError> for ApiError {
    fn from(error: GuardError) -> Self {
        Self::new(Code::ForbiddenHost, format!("base_url cannot be used: {error}"))
    }
}

#[cfg(test)]
#[path = "error_snapshots.rs"]
mod snapshots;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_has_the_documented_shape() {
        let id = RequestId::new();
        let response = ApiError::not_found("project").into_response(id);
        let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(
            body,
            serde_json::json!({"error": {"type": "not_found", "code": "not_found",
                "message": "there is no such project in this tenant", "request_id": id.to_string()}})
        );
        assert_eq!(response.headers()[REQUEST_ID], id.to_string());
    }
}
