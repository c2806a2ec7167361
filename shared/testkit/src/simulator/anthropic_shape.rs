//! Anthropic's own shape: its error bodies, and the headers of every answer.

use http::{StatusCode, response::Builder};
use serde_json::{Value, json};

use super::{Fault, content::Content};

/// Id of the simulated organisation.
pub(super) const ORGANIZATION: &str = "00000000-0000-4000-8000-000000000001";

/// Builds Anthropic's error body.
pub(super) fn error(status: u16, kind: &str, message: &str) -> Content {
    let status = StatusCode::from_u16(status).unwrap_or_default();
    Content::Error(status, error_body(kind, message))
}

pub(super) fn refusal(fault: Fault) -> Option<(u16, Value)> {
    let (status, kind, message) = match fault {
        Fault::Revoked => (401, "authentication_error", "invalid x-api-key"),
        Fault::Restricted => {
            (403, "permission_error", "Your API key does not have permission to use the specified resource.")
        }
        Fault::NoCredit => (
            400,
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or \
             purchase credits.",
        ),
        Fault::RateLimited | Fault::AbsurdRetryAfter => {
            (429, "rate_limit_error", "This request would exceed your organization's rate limit.")
        }
        Fault::ServerError => (500, "api_error", "Internal server error"),
        _ => return None,
    };
    Some((status, error_body(kind, message)))
}

/// Answers a call without a key.
pub(super) fn missing_key() -> Content {
    error(401, "authentication_error", "x-api-key header is required")
}

pub(super) fn provider_headers(builder: Builder, number: u64) -> Builder {
    builder
        .header("request-id", format!("req_sim{number:021}"))
        .header("anthropic-organization-id", ORGANIZATION)
        .header("anthropic-ratelimit-requests-limit", "4000")
        .header("anthropic-ratelimit-requests-remaining", "3999")
        .header("anthropic-ratelimit-requests-reset", "2026-11-01T00:00:01Z")
}

fn error_body(kind: &str, message: &str) -> Value {
    json!({ "type": "error", "error": { "type": kind, "message": message }, "request_id": "req_simulated" })
}

pub(super) fn not_found(model: &str) -> Content {
    error(404, "not_found_error", &format!("model: {model}"))
}
