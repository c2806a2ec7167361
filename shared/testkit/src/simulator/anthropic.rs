//! Anthropic's own endpoints: finds who answers, and answers for models and the owner of an admin key.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{
    anthropic_messages::{count, message},
    anthropic_reports::{self, Report},
    anthropic_shape::{ORGANIZATION, error, not_found},
    anthropic_storage,
    call::Call,
    content::Content,
    state::{State, Turn},
};

const MODELS: &[(&str, &str, &str)] = &[
    ("claude-sonnet-5-5", "Claude Sonnet 5.5", "2026-09-29T00:00:00Z"),
    ("claude-sonnet-4-6", "Claude Sonnet 4.6", "2026-02-17T00:00:00Z"),
    ("claude-haiku-4-5-20251001", "Claude Haiku 4.5", "2025-10-15T00:00:00Z"),
];

/// Answers a call with a working key.
pub(super) fn content(state: &State, call: &Call, turn: &Turn, query: &HashMap<String, String>) -> Content {
    let key = call.key.as_deref().unwrap_or_default();
    if call.headers.get("x-api-key").is_none() {
        return error(401, "authentication_error", "Invalid bearer token");
    }
    if call.headers.get("anthropic-version").is_none() {
        return error(400, "invalid_request_error", "anthropic-version: header is required");
    }
    let path = call.path.strip_prefix("/v1").unwrap_or_default();
    if path.starts_with("/organizations/") != turn.admin {
        return error(401, "authentication_error", "invalid x-api-key");
    }
    if let Some(rest) = path.strip_prefix("/messages/batches") {
        return anthropic_storage::batches(state, call, rest, turn.number);
    }
    if let Some(rest) = path.strip_prefix("/files") {
        return anthropic_storage::files(state, call, rest, query);
    }
    match (call.method.as_str(), path) {
        ("POST", "/messages") => message(&call.body, turn.number),
        ("POST", "/messages/count_tokens") => count(&call.body),
        ("GET", "/models") => models(query),
        ("GET", path) if path.starts_with("/models/") => model(path.trim_start_matches("/models/")),
        ("GET", "/organizations/me") => {
            Content::Json(json!({ "id": ORGANIZATION, "type": "organization", "name": "Simulated" }))
        }
        ("GET", "/organizations/usage_report/messages") => {
            anthropic_reports::page(Report::Messages, query, key, turn.fault)
        }
        ("GET", "/organizations/cost_report") => anthropic_reports::page(Report::Costs, query, key, turn.fault),
        _ => error(404, "not_found_error", "Not found"),
    }
}

fn models(query: &HashMap<String, String>) -> Content {
    let limit = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(20);
    let after = query.get("after_id").and_then(|after| MODELS.iter().position(|(id, ..)| id == after));
    let from = after.map_or(0, |at| at + 1);
    let page: Vec<Value> = MODELS.iter().skip(from).take(limit).map(model_info).collect();
    let end = |info: Option<&Value>| info.map(|info| info["id"].clone());
    let (first, last) = (end(page.first()), end(page.last()));
    let has_more = from + page.len() < MODELS.len();
    Content::Json(json!({ "data": page, "has_more": has_more, "first_id": first, "last_id": last }))
}

fn model(id: &str) -> Content {
    match MODELS.iter().find(|(known, ..)| *known == id) {
        Some(found) => Content::Json(model_info(found)),
        None => not_found(id),
    }
}

fn model_info((id, name, created_at): &(&str, &str, &str)) -> Value {
    json!({ "type": "model", "id": id, "display_name": name, "created_at": created_at })
}
