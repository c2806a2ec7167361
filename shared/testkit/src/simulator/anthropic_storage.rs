//! Stored objects of Anthropic's API: files, and batches of messages with their results.

use std::collections::HashMap;

use bytes::Bytes;
use http::header;
use serde_json::{Value, json};

use super::{
    anthropic_messages::message,
    anthropic_shape::error,
    call::Call,
    content::Content,
    files::{self, Part},
    state::State,
};

const BETA: &str = "files-api-2025-04-14";
const CREATED: &str = "2026-11-01T00:00:00Z";
const EXPIRES: &str = "2026-11-02T00:00:00Z";
const FILES: &str = "file_sim";
const BATCHES: &str = "msgbatch_sim";

/// Serves `/files` and paths below it.
pub(super) fn files(state: &State, call: &Call, rest: &str, query: &HashMap<String, String>) -> Content {
    let betas = call.headers.get("anthropic-beta").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if query.contains_key("beta") && !betas.contains(BETA) {
        return error(400, "invalid_request_error", "This endpoint needs the header anthropic-beta.");
    }
    let (id, below) = parts_of(rest);
    match (call.method.as_str(), id, below) {
        ("POST", "", "") => upload(state, call),
        ("GET", "", "") => listed(state.files(FILES)),
        ("GET", id, "" | "content") => match state.file(id) {
            Some((file, bytes)) if below == "content" => {
                Content::Bytes(file["mime_type"].as_str().unwrap_or_default().to_owned(), bytes)
            }
            Some((file, _)) => Content::Json(file),
            None => missing(id),
        },
        ("DELETE", id, "") => {
            state.delete_file(id);
            Content::Json(json!({ "id": id, "type": "file_deleted" }))
        }
        _ => missing(rest),
    }
}

/// Serves `/messages/batches` and paths below it. A batch ends the first time it is read.
pub(super) fn batches(state: &State, call: &Call, rest: &str, number: u64) -> Content {
    let host = call.headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let located = |mut batch: Value| {
        let id = batch["id"].as_str().unwrap_or_default();
        batch["results_url"] = json!(format!("http://{host}/v1/messages/batches/{id}/results"));
        batch
    };
    let (id, below) = parts_of(rest);
    match (call.method.as_str(), id, below) {
        ("POST", "", "") => create(state, &call.body, number),
        ("GET", "", "") => listed(state.files(BATCHES).into_iter().map(located).collect()),
        ("GET", id, "" | "results") => match state.file(id) {
            Some((_, results)) if below == "results" => Content::Bytes("application/x-jsonl".to_owned(), results),
            Some((batch, _)) => Content::Json(located(batch)),
            None => missing(id),
        },
        _ => missing(rest),
    }
}

fn parts_of(rest: &str) -> (&str, &str) {
    let rest = rest.trim_start_matches('/');
    rest.split_once('/').unwrap_or((rest, ""))
}

fn upload(state: &State, call: &Call) -> Content {
    let parts = files::parts(&call.headers, &call.body);
    let Some(Part { filename, kind, body, .. }) = parts.iter().find(|part| part.name == "file") else {
        return error(400, "invalid_request_error", "file: Field required");
    };
    Content::Json(state.keep_file(FILES, Bytes::copy_from_slice(body), |id| {
        json!({ "id": id, "type": "file", "filename": filename, "mime_type": kind, "size_bytes": body.len(),
            "created_at": CREATED, "downloadable": true })
    }))
}

fn create(state: &State, body: &[u8], number: u64) -> Content {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let Some(requests) = body["requests"].as_array().filter(|requests| !requests.is_empty()) else {
        return error(400, "invalid_request_error", "requests: Field required");
    };
    let (mut results, mut succeeded) = (String::new(), 0);
    for request in requests {
        let result = match message(request["params"].to_string().as_bytes(), number) {
            Content::Json(message) => {
                succeeded += 1;
                json!({ "type": "succeeded", "message": message })
            }
            Content::Error(_, error) => json!({ "type": "errored", "error": error }),
            _ => json!({ "type": "expired" }),
        };
        results += &format!("{}\n", json!({ "custom_id": request["custom_id"], "result": result }));
    }
    let counts = |processing: usize, succeeded: usize, errored: usize| json!({ "processing": processing, "succeeded": succeeded, "errored": errored, "canceled": 0, "expired": 0 });
    let ended = counts(0, succeeded, requests.len() - succeeded);
    let mut batch = state.keep_file(BATCHES, results.into(), |id| {
        json!({ "id": id, "type": "message_batch", "processing_status": "ended", "request_counts": ended,
            "created_at": CREATED, "expires_at": EXPIRES, "ended_at": CREATED, "archived_at": null,
            "cancel_initiated_at": null, "results_url": null })
    });
    batch["processing_status"] = json!("in_progress");
    batch["request_counts"] = counts(requests.len(), 0, 0);
    batch["ended_at"] = Value::Null;
    Content::Json(batch)
}

fn listed(rows: Vec<Value>) -> Content {
    let end = |row: Option<&Value>| row.map(|row| row["id"].clone());
    let (first, last) = (end(rows.first()), end(rows.last()));
    Content::Json(json!({ "data": rows, "has_more": false, "first_id": first, "last_id": last }))
}

fn missing(what: &str) -> Content {
    error(404, "not_found_error", &format!("Not found: {what}"))
}
