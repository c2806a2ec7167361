//! `GET /v1/models`, and the models of the simulator.

use serde_json::{Value, json};

/// Models in the list. Any other name works too, unless it contains one of [`MISSING`].
const MODELS: &[(&str, i64)] = &[
    ("gpt-4o", 1_715_367_049),
    ("gpt-4o-mini", 1_721_172_741),
    ("gpt-5.4-mini", 1_773_705_600),
    ("text-embedding-3-small", 1_705_948_997),
    ("text-embedding-3-large", 1_705_953_180),
];

const MISSING: &[&str] = &["nope", "does-not-exist"];

pub(super) fn list() -> Value {
    let data: Vec<Value> = MODELS
        .iter()
        .map(|(id, created)| json!({ "id": id, "object": "model", "created": created, "owned_by": "system" }))
        .collect();
    json!({ "object": "list", "data": data })
}

pub(super) fn exists(model: &str) -> bool {
    !model.is_empty() && !MISSING.iter().any(|part| model.contains(part))
}

/// Returns the model name in an answer: for some models the dated snapshot that served it.
pub(super) fn served_as(model: &str) -> &str {
    match model {
        "gpt-5.4-mini" => "gpt-5.4-mini-2026-03-17",
        "claude-haiku-4-5" => "claude-haiku-4-5-20251001",
        other => other,
    }
}
