//! OpenAI's own shape: its error bodies, and the headers of every answer.

use http::{StatusCode, response::Builder};
use serde_json::{Value, json};

use super::{Fault, content::Content};

/// Builds OpenAI's error body.
pub(super) fn error(message: &str, kind: &str, param: Option<&str>, code: Option<&str>) -> Value {
    json!({ "error": { "message": message, "type": kind, "param": param, "code": code } })
}

pub(super) fn invalid_request(status: StatusCode, message: &str, code: Option<&str>) -> Content {
    Content::Error(status, error(message, "invalid_request_error", None, code))
}

pub(super) fn missing_scopes(scope: &str) -> Content {
    let message = format!(
        "You have insufficient permissions for this operation. Missing scopes: {scope}. Check that you have the correct \
         role in your organization (Reader, Writer, Owner), and if you're using a restricted API key, that it has the \
         necessary scopes."
    );
    invalid_request(StatusCode::FORBIDDEN, &message, None)
}

/// Returns OpenAI's status and error body for a fault.
pub(super) fn refusal(fault: Fault, key: &str) -> Option<(u16, Value)> {
    let (status, message, kind, code) = match fault {
        Fault::Revoked => {
            let tail: String = key.chars().skip(key.chars().count().saturating_sub(4)).collect();
            let message = format!(
                "Incorrect API key provided: sk-********{tail}. You can find your API key at \
                 https://platform.openai.com/account/api-keys."
            );
            return Some((401, error(&message, "invalid_request_error", None, Some("invalid_api_key"))));
        }
        Fault::Restricted => match missing_scopes("api.model.read") {
            Content::Error(_, body) => return Some((403, body)),
            _ => return None,
        },
        Fault::NoCredit => {
            let message = "You exceeded your current quota, please check your plan and billing details.";
            (429, message, "insufficient_quota", Some("insufficient_quota"))
        }
        Fault::RateLimited | Fault::AbsurdRetryAfter => {
            let message = "Rate limit reached for requests. Please try again later.";
            (429, message, "requests", Some("rate_limit_exceeded"))
        }
        Fault::ServerError => {
            let message = "The server had an error while processing your request. Sorry about that!";
            (500, message, "server_error", None)
        }
        _ => return None,
    };
    Some((status, error(message, kind, None, code)))
}

pub(super) fn provider_headers(builder: Builder, number: u64) -> Builder {
    builder
        .header("x-request-id", format!("req_sim{number:028}"))
        .header("openai-organization", "org-simulated")
        .header("openai-project", "proj_simulated")
        .header("openai-processing-ms", "3")
        .header("openai-version", "2020-10-01")
        .header("x-ratelimit-limit-requests", "10000")
        .header("x-ratelimit-remaining-requests", "9999")
        .header("x-ratelimit-reset-requests", "6ms")
}
