//! `GET /v1/organizations/usage_report/messages` and `/cost_report`: Anthropic's reports. The same key, bucket and
//! model give the same figures on every reading.

use std::collections::HashMap;

use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    Fault,
    anthropic_shape::error,
    content::Content,
    reports::{Ask, DAY, HOUR, figure},
};

const MODELS: [&str; 2] = ["claude-sonnet-4-6", "claude-haiku-4-5-20251001"];

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    Messages,
    Costs,
}

pub(super) fn page(report: Report, query: &HashMap<String, String>, key: &str, fault: Fault) -> Content {
    let ask = match read(report, query) {
        Ok(ask) => ask,
        Err(message) => return error(400, "invalid_request_error", message),
    };
    let buckets: Vec<Value> = ask
        .starts()
        .into_iter()
        .map(|start| {
            let results: Vec<Value> =
                MODELS.into_iter().map(|model| result(report, model, figure(key, start, model))).collect();
            json!({ "starting_at": text(start), "ending_at": text(start + ask.width), "results": results })
        })
        .collect();
    let next = ask.next(fault);
    Content::Json(json!({ "data": buckets, "has_more": next.is_some(), "next_page": next }))
}

fn read(report: Report, query: &HashMap<String, String>) -> Result<Ask, &'static str> {
    let grouping = if report == Report::Costs { "description" } else { "model" };
    if query.get("group_by[]").is_none_or(|group| group != grouping) {
        return Err("group_by: the simulator only groups usage by model and costs by description");
    }
    let (width, default_limit, max_limit) = match (report, query.get("bucket_width").map_or("1d", String::as_str)) {
        (_, "1d") => (DAY, 7, 31),
        (Report::Messages, "1h") => (HOUR, 24, 168),
        _ => return Err("bucket_width: Input should be one of the documented widths"),
    };
    let from =
        query.get("starting_at").and_then(|at| seconds(at)).ok_or("starting_at: Input should be a valid datetime")?;
    let limit = query.get("limit").map_or(Some(default_limit), |limit| limit.parse().ok());
    let limit = limit.filter(|limit| (1..=max_limit).contains(limit)).ok_or("limit: out of range")?;
    let end = query.get("ending_at").map_or(Some(from + limit * width), |at| seconds(at));
    let end = end.ok_or("ending_at: Input should be a valid datetime")?;
    let resumed = query.get("page").and_then(|page| page.strip_prefix("page_")?.parse().ok());
    Ok(Ask { width, start: resumed.unwrap_or(from.div_euclid(width) * width), end, limit })
}

/// Builds a result of `calls` calls, each with 80 fresh input tokens, 10 read from the cache, 6 and 4 written to it and
/// 20 output tokens, at a hundredth of a cent.
fn result(report: Report, model: &str, calls: i64) -> Value {
    match report {
        Report::Messages => json!({
            "model": model, "uncached_input_tokens": calls * 80, "cache_read_input_tokens": calls * 10,
            "cache_creation": { "ephemeral_5m_input_tokens": calls * 6, "ephemeral_1h_input_tokens": calls * 4 },
            "output_tokens": calls * 20, "server_tool_use": { "web_search_requests": 0 }, "api_key_id": null,
            "workspace_id": null, "service_tier": null, "context_window": null, "inference_geo": null,
        }),
        Report::Costs => json!({
            "amount": format!("{}.{:02}", calls / 100, calls % 100), "currency": "USD", "model": model,
            "description": format!("{model} Usage - Input Tokens"), "cost_type": "tokens",
            "token_type": "uncached_input_tokens", "service_tier": "standard", "context_window": "0-200k",
            "workspace_id": null, "inference_geo": null,
        }),
    }
}

fn seconds(text: &str) -> Option<i64> {
    OffsetDateTime::parse(text, &Rfc3339).ok().map(OffsetDateTime::unix_timestamp)
}

fn text(seconds: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    at.format(&Rfc3339).unwrap_or_default()
}
