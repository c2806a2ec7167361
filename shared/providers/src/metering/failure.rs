//! Errors behind a status that does not show them: in the body of a 200, or as the first event of a stream.

use serde_json::Value;

/// HTTP statuses for the words that providers use for errors.
const WORDS: &[(u16, &[&str])] = &[
    (
        400,
        &[
            "bad_request",
            "badrequest",
            "content_filter",
            "content_policy_violation",
            "context_length_exceeded",
            "failed_precondition",
            "invalid_argument",
            "invalid_request",
            "invalid_request_error",
            "invalid_request_message_order",
            "previous_response_not_found",
            "string_above_max_length",
            "unprocessable_entity_error",
        ],
    ),
    (401, &["authentication_error", "expired_api_key", "invalid_api_key", "unauthenticated", "unauthorized"]),
    (
        402,
        &[
            "billing_error",
            "billing_not_active",
            "credit_balance_exhausted",
            "insufficient_quota",
            "insufficient_user_quota",
            "organization_spend_limit_exceeded",
            "organization_usage_limit_exceeded",
            "project_spend_limit_exceeded",
        ],
    ),
    (403, &["account_deactivated", "permission_denied", "permission_error"]),
    (404, &["deploymentnotfound", "model_not_found", "not_found", "not_found_error"]),
    (413, &["request_too_large"]),
    (429, &["rate_limit_error", "rate_limit_exceeded", "resource_exhausted", "slow_down", "too_many_requests"]),
    (504, &["deadline_exceeded", "timeout_error"]),
    (529, &["overloaded", "overloaded_error"]),
];
/// JSON pointers at which the word can stand, the more specific first.
const PLACES: [&str; 8] = [
    "/error/code",
    "/error/type",
    "/error/status",
    "/response/error/code",
    "/response/error/type",
    "/code",
    "/type",
    "/error",
];

/// Returns the status that an answer, or the data of an event, should have had; `None` if it is no error. An error with
/// an unknown word counts as the provider's own (500). Of several documents the first counts.
#[must_use]
pub fn failed_with(data: &[u8]) -> Option<u16> {
    // Cheap, and enough to leave most alone.
    memchr::memmem::find(data, b"error").or_else(|| memchr::memmem::find(data, b"response.failed"))?;
    let json: Value = serde_json::Deserializer::from_slice(data).into_iter().next()?.ok()?;
    // Google wraps errors in a list.
    let json = json.as_array().and_then(|list| list.first()).unwrap_or(&json);
    if !is_error(json) {
        return None;
    }
    let known = PLACES.iter().filter_map(|place| json.pointer(place)).find_map(status);
    Some(known.unwrap_or(500))
}

fn is_error(json: &Value) -> bool {
    let says = |field, words: &[&str]| json.get(field).and_then(Value::as_str).is_some_and(|it| words.contains(&it));
    let has_error = json.get("error").is_some_and(|error| !error.is_null() && error.as_str() != Some(""));
    has_error || says("type", &["error", "response.failed"]) || says("object", &["error"])
}

fn status(value: &Value) -> Option<u16> {
    if let Some(number) = value.as_u64() {
        return u16::try_from(number).ok().filter(|status| (400..=599).contains(status));
    }
    let word = value.as_str()?.to_ascii_lowercase();
    let by_number = || word.parse().ok().filter(|status: &u16| (400..=599).contains(status));
    WORDS.iter().find(|(_, words)| words.contains(&word.as_str())).map(|(status, _)| *status).or_else(by_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_tells_its_status_whoever_says_it_and_an_answer_is_none() {
        for (data, expected) in [
            (r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, Some(529)),
            (r#"{"type":"error","error":{"type":"rate_limit_error","message":"x"},"request_id":"r"}"#, Some(429)),
            (r#"{"error":{"message":"x","type":"insufficient_quota","code":"insufficient_quota"}}"#, Some(402)),
            (r#"{"error":{"message":"x","type":"invalid_request_error","code":"invalid_api_key"}}"#, Some(401)),
            (r#"{"error":{"message":"x","type":"invalid_request_error","param":"model","code":null}}"#, Some(400)),
            (r#"{"error":{"code":502,"message":"x","metadata":{}}}"#, Some(502)),
            (r#"{"error":{"code":"502","message":"x"}}"#, Some(502)),
            (r#"[{"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED"}}]"#, Some(429)),
            (r#"{"error":{"message":"x","status":"UNAVAILABLE"}}"#, Some(500)),
            (r#"{"type":"response.failed","response":{"error":{"code":"rate_limit_exceeded"}}}"#, Some(429)),
            (r#"{"type":"error","code":"server_error","message":"x","sequence_number":0}"#, Some(500)),
            (r#"{"object":"error","message":"x","type":"invalid_request_error","code":1500}"#, Some(400)),
            (r#"{"error":"no such thing"}"#, Some(500)),
            (r#"{"id":"resp_1","object":"response","status":"failed","error":{"code":"server_error"}}"#, Some(500)),
            (r#"{"id":"resp_1","object":"response","status":"completed","error":null}"#, None),
            (r#"{"choices":[{"message":{"content":"an error: {\"error\":1}"}}],"x":{"error":1}}"#, None),
            ("{\"error\":\"overloaded\"}\n{\"done\":true}\n", Some(529)),
            ("{\"done\":false}\n{\"error\":\"overloaded\"}\n", None),
            (r#"{"error":"""#, None),
            ("[DONE]", None),
            ("", None),
        ] {
            assert_eq!(failed_with(data.as_bytes()), expected, "{data}");
        }
    }
}
