//! Google's own shape: the form of its keys, and its error bodies.

use http::StatusCode;
use serde_json::{Value, json};

use super::{Fault, content::Content};

/// Returns `true` if the key has the form of Google's.
pub(super) fn is_key(key: &str) -> bool {
    key.starts_with("AIza")
}

/// Returns Google's status and error body for a faulty key; `None` for faults without an error body.
pub(super) fn refusal(fault: Fault) -> Option<(u16, Value)> {
    let info = |reason: &str| json!([{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason }]);
    let quota = |id: &str| {
        json!([
            { "@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{ "quotaId": id }] },
            { "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "20s" },
        ])
    };
    let (code, status, message, details) = match fault {
        Fault::Revoked => {
            (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", info("API_KEY_INVALID"))
        }
        Fault::Restricted => {
            (403, "PERMISSION_DENIED", "Requests to this API are blocked.", info("API_KEY_SERVICE_BLOCKED"))
        }
        Fault::NoCredit => {
            let id = "GenerateRequestsPerDayPerProjectPerModel-FreeTier";
            (429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", quota(id))
        }
        Fault::RateLimited | Fault::AbsurdRetryAfter => {
            let id = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier";
            (429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", quota(id))
        }
        Fault::ServerError => (503, "UNAVAILABLE", "The model is overloaded. Please try again later.", json!([])),
        _ => return None,
    };
    let error = json!({ "code": code, "message": message, "status": status, "details": details });
    Some((code, json!({ "error": error })))
}

pub(super) fn not_found(what: &str) -> Content {
    error(StatusCode::NOT_FOUND, "NOT_FOUND", &format!("models/{what} is not found for API version v1beta."))
}

pub(super) fn error(code: StatusCode, status: &str, message: &str) -> Content {
    Content::Error(code, json!({ "error": { "code": code.as_u16(), "message": message, "status": status } }))
}
