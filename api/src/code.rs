//! Every code of the management API's errors, with its status and its kind.

use http::StatusCode;

keyway_http::codes! {
    /// Code of an error, one word that clients can match on.
    pub(crate) enum Code;
    /// The body is not JSON.
    MalformedJson, "malformed_json", BAD_REQUEST, "invalid_request";
    /// A query parameter or header is not valid.
    InvalidParameter, "invalid_parameter", BAD_REQUEST, "invalid_request";
    /// No key, or a wrong one.
    Unauthenticated, "unauthenticated", UNAUTHORIZED, "authentication";
    /// Address and password, or what stands for them, do not fit.
    InvalidCredentials, "invalid_credentials", UNAUTHORIZED, "authentication";
    /// The principal is known, but does not have the permission.
    NotAllowed, "not_allowed", FORBIDDEN, "permission";
    /// The person has to prove anew who it is.
    StepUpRequired, "step_up_required", FORBIDDEN, "permission";
    /// A page of another site may have sent the request.
    CrossSite, "cross_site", FORBIDDEN, "permission";
    /// No resource has this path or id in this tenant.
    NotFound, "not_found", NOT_FOUND, "not_found";
    /// The path exists, the method does not.
    MethodNotAllowed, "method_not_allowed", METHOD_NOT_ALLOWED, "invalid_request";
    /// The body did not arrive in time.
    RequestTimeout, "request_timeout", REQUEST_TIMEOUT, "invalid_request";
    /// Another resource refers to this one, or its state does not allow this.
    Conflict, "conflict", CONFLICT, "conflict";
    /// The project has this secret already.
    DuplicateKey, "duplicate_key", CONFLICT, "conflict";
    /// The name is in use.
    NameTaken, "name_taken", CONFLICT, "conflict";
    /// The tenant would be left without an owner.
    LastOwner, "last_owner", CONFLICT, "conflict";
    /// The tenant has as many resources of this kind as it may have.
    LimitReached, "limit_reached", CONFLICT, "conflict";
    /// Another request with this idempotency key is under way.
    InFlight, "idempotency_key_in_flight", CONFLICT, "conflict";
    /// The resource was changed since it was read.
    PreconditionFailed, "precondition_failed", PRECONDITION_FAILED, "conflict";
    /// The body is too large.
    BodyTooLarge, "body_too_large", PAYLOAD_TOO_LARGE, "invalid_request";
    /// The body is not declared as JSON.
    WrongContentType, "wrong_content_type", UNSUPPORTED_MEDIA_TYPE, "invalid_request";
    /// A field that does not exist here.
    UnknownField, "unknown_field", UNPROCESSABLE_ENTITY, "invalid_request";
    /// A field is missing, of the wrong type or out of range.
    InvalidField, "invalid_field", UNPROCESSABLE_ENTITY, "invalid_request";
    /// The answer would have more groups than one answer may have.
    TooManyGroups, "too_many_groups", UNPROCESSABLE_ENTITY, "invalid_request";
    /// No provider has this name.
    UnknownProvider, "unknown_provider", UNPROCESSABLE_ENTITY, "invalid_request";
    /// The credential cannot be a key of this provider.
    MalformedKey, "malformed_key", UNPROCESSABLE_ENTITY, "invalid_request";
    /// The host may not be called.
    ForbiddenHost, "forbidden_host", UNPROCESSABLE_ENTITY, "invalid_request";
    /// The idempotency key was used with another body.
    KeyReused, "idempotency_key_reused", UNPROCESSABLE_ENTITY, "invalid_request";
    /// Too many wrong attempts: the next one has to wait.
    TooManyAttempts, "too_many_attempts", TOO_MANY_REQUESTS, "rate_limit";
    /// It was done as often as it may be done within a minute.
    RateLimited, "rate_limited", TOO_MANY_REQUESTS, "rate_limit";
    /// The request's headers are too large.
    HeadersTooLarge, "headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, "invalid_request";
    /// A defect or a stored value this build cannot read.
    Internal, "internal", INTERNAL_SERVER_ERROR, "internal";
    /// The database is away.
    Unavailable, "unavailable", SERVICE_UNAVAILABLE, "unavailable";
    /// Too much accepted work waits.
    Overloaded, "overloaded", SERVICE_UNAVAILABLE, "unavailable";
    /// The vault is sealed.
    Sealed, "sealed", SERVICE_UNAVAILABLE, "unavailable";
}

/// Returns every kind of error, each once.
pub(crate) fn kinds() -> Vec<&'static str> {
    let mut kinds = Vec::new();
    for kind in Code::ALL.iter().map(|code| code.kind()) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_a_word_of_its_own_with_an_error_status() {
        for (index, code) in Code::ALL.iter().enumerate() {
            assert!(code.status().is_client_error() || code.status().is_server_error(), "{}", code.text());
            assert!(code.text().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
            assert!(Code::ALL[index + 1..].iter().all(|other| other.text() != code.text()));
        }
    }
}
