//! Keyway's own answers on proxy routes to requests that it cannot forward: in the caller's wire shape, plus
//! `x-keyway-error`, which tells our answers from the provider's.
//!
//! A message must never repeat any part of the caller's request or of a provider's answer.

pub(crate) mod exceeded;
pub(crate) mod shape;

use std::{borrow::Cow, collections::BTreeMap};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use keyway_domain::IntegrationStatus;
use keyway_store::{KeyError, StoreError};
use keyway_telemetry::OnceAMinute;
use keyway_vault::VaultError;
use serde_json::json;

use self::{exceeded::Exceeded, shape::Shape};

/// Header of every answer that Keyway made itself; its value is the error's code.
pub(crate) const ERROR: HeaderName = HeaderName::from_static("x-keyway-error");
/// Header that the OpenAI and Anthropic SDKs read before they retry on their own.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

keyway_http::codes! {
    /// Code of a refusal, one word that clients can match on.
    pub(crate) enum Code;
    /// No virtual key was sent.
    MissingKey, "missing_virtual_key", UNAUTHORIZED, "authentication_error";
    /// Not a virtual key of this installation.
    InvalidKey, "invalid_virtual_key", UNAUTHORIZED, "authentication_error";
    /// The virtual key was revoked.
    RevokedKey, "virtual_key_revoked", UNAUTHORIZED, "authentication_error";
    /// The virtual key has expired.
    ExpiredKey, "virtual_key_expired", UNAUTHORIZED, "authentication_error";
    /// The path could mean something else to the provider than to us.
    BadPath, "invalid_path", BAD_REQUEST, "invalid_request_error";
    /// A header of Keyway's own is not valid.
    BadHeader, "invalid_header", BAD_REQUEST, "invalid_request_error";
    /// No route has this path.
    UnknownRoute, "unknown_route", NOT_FOUND, "invalid_request_error";
    /// The route exists, the method does not.
    BadMethod, "method_not_allowed", METHOD_NOT_ALLOWED, "invalid_request_error";
    /// The body is not the JSON this route needs.
    BadBody, "invalid_json", BAD_REQUEST, "invalid_request_error";
    /// Neither body nor query names the model that routes the call.
    MissingModel, "missing_model", BAD_REQUEST, "invalid_request_error";
    /// The body is too large to be read before it is forwarded.
    BodyTooLarge, "body_too_large", PAYLOAD_TOO_LARGE, "invalid_request_error";
    /// The body did not arrive in time.
    BodyTimeout, "request_timeout", REQUEST_TIMEOUT, "invalid_request_error";
    /// The bodies under way use all the memory they may.
    BodiesFull, "bodies_full", SERVICE_UNAVAILABLE, "api_error";
    /// Every connection is in use but those that are kept for management.
    ConnectionsFull, "connections_full", SERVICE_UNAVAILABLE, "api_error";
    /// No provider has this name.
    UnknownProvider, "unknown_provider", NOT_FOUND, "invalid_request_error";
    /// The project has no integration of this provider.
    NoIntegration, "integration_not_found", NOT_FOUND, "invalid_request_error";
    /// The integration's provider has no such endpoint, or none at all.
    NotCallable, "not_callable", BAD_REQUEST, "invalid_request_error";
    /// No integration of the project, or several providers, have the model.
    ModelNotFound, "model_not_found", NOT_FOUND, "invalid_request_error";
    /// The integration is disabled.
    Disabled, "integration_disabled", CONFLICT, "invalid_request_error";
    /// The provider refuses the integration's secret.
    InError, "integration_error", CONFLICT, "invalid_request_error";
    /// The integration's secret has expired.
    IntegrationExpired, "integration_expired", CONFLICT, "invalid_request_error";
    /// The operator's key cannot serve. Only explanations have this code: callers get their own integrations' refusal.
    NoFallback, "fallback_unavailable", CONFLICT, "invalid_request_error";
    /// The integration's secret cannot be opened or sent.
    Unreadable, "credential_unreadable", SERVICE_UNAVAILABLE, "api_error";
    /// The vault is sealed.
    Sealed, "sealed", SERVICE_UNAVAILABLE, "api_error";
    /// The database is away and the entry is not cached.
    Unavailable, "unavailable", SERVICE_UNAVAILABLE, "api_error";
    /// Records of calls cannot be kept at the moment, and no call goes unrecorded.
    SpoolFull, "spool_full", SERVICE_UNAVAILABLE, "api_error";
    /// A limit of requests or tokens leaves nothing for the call now.
    RateLimited, "rate_limited", TOO_MANY_REQUESTS, "rate_limit_error";
    /// A budget is used up.
    BudgetExceeded, "budget_exceeded", PAYMENT_REQUIRED, "billing_error";
    /// A budget applies to a call whose price is unknown.
    PriceUnknown, "price_unknown", PAYMENT_REQUIRED, "billing_error";
    /// The provider's host may not be called from here.
    UpstreamForbidden, "upstream_forbidden", BAD_GATEWAY, "api_error";
    /// The connection to the provider failed.
    UpstreamUnreachable, "upstream_unreachable", BAD_GATEWAY, "api_error";
    /// The connection broke before the answer's head arrived.
    UpstreamBroken, "upstream_broken", BAD_GATEWAY, "api_error";
    /// The provider sent no answer, but more before one than it may.
    UpstreamFlooded, "upstream_flooded", BAD_GATEWAY, "api_error";
    /// The provider compressed an answer that is to be searched for its key.
    UpstreamCompressed, "upstream_compressed", BAD_GATEWAY, "api_error";
    /// The provider sent a redirect; the secret goes to no other host.
    UpstreamRedirect, "upstream_redirect", BAD_GATEWAY, "api_error";
    /// The provider did not begin to answer in time.
    UpstreamTimeout, "upstream_timeout", GATEWAY_TIMEOUT, "api_error";
    /// The answer broke off before its end.
    UpstreamMidStream, "upstream_mid_stream_failure", BAD_GATEWAY, "api_error";
    /// A defect or a stored value this build cannot read.
    Internal, "internal", INTERNAL_SERVER_ERROR, "api_error";
}

/// Returns every status of Keyway's own answers, with its codes, for the API document.
pub(crate) fn statuses() -> BTreeMap<u16, Vec<&'static str>> {
    let mut statuses: BTreeMap<u16, Vec<_>> = BTreeMap::new();
    for code in Code::ALL {
        statuses.entry(code.status().as_u16()).or_default().push(code.text());
    }
    statuses
}

/// A request that is not forwarded, with the reason.
#[derive(Debug)]
pub(crate) struct Refusal {
    code: Code,
    message: Cow<'static, str>,
    param: Option<&'static str>,
    limit: Option<Box<Exceeded>>,
    /// `true` if the refusal was logged, or must not be.
    is_told: bool,
}

impl Refusal {
    /// Builds a refusal with a sentence for the caller.
    pub(crate) fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), param: None, limit: None, is_told: false }
    }

    /// Marks the refusal as logged.
    pub(crate) fn told(self) -> Self {
        Self { is_told: true, ..self }
    }

    /// Returns `true` if it was logged.
    pub(crate) const fn is_told(&self) -> bool {
        self.is_told
    }

    /// Adds the limit that refused the call.
    pub(crate) fn with_limit(self, limit: Exceeded) -> Self {
        Self { limit: Some(Box::new(limit)), ..self }
    }

    /// Builds the refusal for a model that no integration, or several providers, have.
    pub(crate) fn model(message: &'static str) -> Self {
        Self { param: Some("model"), ..Self::new(Code::ModelNotFound, message) }
    }

    /// Builds the refusal for a missing upstream, which is a defect.
    pub(crate) fn nobody() -> Self {
        Self::new(Code::Internal, "a defect in Keyway: a call had nobody to go to")
    }

    /// Builds the refusal for a call that cannot be recorded.
    pub(crate) fn spool_full() -> Self {
        Self::new(Code::SpoolFull, "records of calls cannot be kept at the moment; try again")
    }

    /// Builds the refusal for an integration that cannot serve in this status.
    pub(crate) fn status(status: IntegrationStatus) -> Self {
        match status {
            IntegrationStatus::Disabled => {
                Self::new(Code::Disabled, "the project's integration for this provider is disabled; enable it")
            }
            _ => Self::new(
                Code::InError,
                "the project's integration for this provider is in status error: its verdict says why; replace its key",
            ),
        }
    }

    /// Returns `true` if the project has no integration for the call.
    pub(crate) const fn leaves_call_alone(&self) -> bool {
        matches!(self.code, Code::NoIntegration | Code::ModelNotFound)
    }

    /// Returns `true` if a limit refused the call: another integration may not be limited.
    pub(crate) const fn is_limit(&self) -> bool {
        self.limit.is_some()
    }

    /// Why.
    pub(crate) const fn code(&self) -> Code {
        self.code
    }

    /// Returns code and sentence.
    pub(crate) fn into_text(self) -> (&'static str, String) {
        (self.code.text(), self.message.into_owned())
    }

    /// Returns the JSON body in the caller's shape.
    pub(crate) fn body(&self, shape: Shape) -> Bytes {
        let (kind, code, message, param) = (self.code.kind(), self.code.text(), &self.message, self.param);
        let body = match shape {
            Shape::OpenAi | Shape::Responses => {
                json!({ "error": { "message": message, "type": kind, "param": param, "code": code } })
            }
            Shape::Anthropic => {
                let details = json!({ "error_code": code });
                json!({ "type": "error",
                    "error": { "type": kind, "message": message, "code": code, "details": details } })
            }
            Shape::Cohere => json!({ "message": message, "code": code }),
            Shape::Google => {
                let status = self.code.status();
                let detail = json!({ "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": code.to_ascii_uppercase(), "domain": "keyway" });
                json!({ "error": { "code": status.as_u16(), "message": message, "status": google(status),
                    "details": [detail] } })
            }
        };
        body.to_string().into()
    }

    /// Converts the refusal to a response in the caller's shape.
    pub(crate) fn into_response(self, shape: Shape) -> Response<Bytes> {
        let mut response = Response::new(self.body(shape));
        let status = self.code.status();
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(ERROR, HeaderValue::from_static(self.code.text()));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        } else if status == StatusCode::CONFLICT {
            headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        }
        if let Some(limit) = &self.limit {
            limit.write(headers, shape);
        }
        response
    }
}

/// Returns Google's name of an HTTP status.
fn google(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 | 413 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        402 | 429 => "RESOURCE_EXHAUSTED",
        404 | 405 => "NOT_FOUND",
        408 | 504 => "DEADLINE_EXCEEDED",
        409 => "FAILED_PRECONDITION",
        502 | 503 => "UNAVAILABLE",
        _ => "INTERNAL",
    }
}

impl From<tokio::task::JoinError> for Refusal {
    /// Converts the error of a look-up that panicked, which was logged there, or of a process that ends.
    fn from(_: tokio::task::JoinError) -> Self {
        Self::new(Code::Internal, "something went wrong in Keyway")
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        if error.is_retryable() {
            static TOLD: OnceAMinute = OnceAMinute::new();
            if let Some(held_back) = TOLD.passes() {
                tracing::warn!(%error, held_back, "the database is away and a request's key or integration is not in memory");
            }
            return Self::new(Code::Unavailable, "the database is not available at the moment; try again");
        }
        tracing::error!(%error, "a proxied request could not be served");
        Self::new(Code::Internal, "a defect in Keyway; its log has the details")
    }
}

impl From<KeyError> for Refusal {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Store(error) => error.into(),
            KeyError::Vault(error) => error.into(),
        }
    }
}

impl From<VaultError> for Refusal {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Sealed(_) => {
                Self::new(Code::Sealed, "the vault is sealed: the operator has to restore the keyring")
            }
            _ => Self::new(Code::Unreadable, "the integration's secret cannot be opened; enter it again"),
        }
    }
}

#[cfg(test)]
mod snapshots;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_the_shape_of_whoever_called() {
        for (path, shape, pointer) in [
            ("/v1/chat/completions", Shape::OpenAi, "/error/type"),
            ("/proxy/openai", Shape::OpenAi, "/error/type"),
            ("/v1/models/ft:gpt-4o:acme::id", Shape::OpenAi, "/error/type"),
            ("/v1/responses", Shape::Responses, "/error/type"),
            ("/proxy/openai/v1/responses/resp_1", Shape::Responses, "/error/code"),
            ("/proxy/cohere/v2/chat", Shape::Cohere, "/message"),
            ("/v1/messages", Shape::Anthropic, "/error/details/error_code"),
            ("/proxy/anthropic/v1/messages/count_tokens", Shape::Anthropic, "/error/type"),
            ("/proxy/gemini/v1beta/models/gemini-x:generateContent", Shape::Google, "/error/status"),
        ] {
            assert_eq!(Shape::of(path), shape, "{path}");
            let body = Refusal::new(Code::MissingKey, "send a key").body(shape);
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert!(body.pointer(pointer).is_some_and(serde_json::Value::is_string), "{path}: {body}");
            let message = body.pointer("/error/message").or_else(|| body.pointer("/message"));
            assert_eq!(message.and_then(serde_json::Value::as_str), Some("send a key"), "{path}");
        }
    }
}
