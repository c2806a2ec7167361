//! `GET /v1/organization/usage/{completions,embeddings}` and `/costs`: figures that depend on key,
//! bucket and model alone, so that every reading of a bucket is the same.

use std::collections::HashMap;

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    Fault,
    content::Content,
    openai::{error, invalid_request},
};

pub(super) const HOUR: i64 = 3_600;
pub(super) const DAY: i64 = 86_400;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    Completions,
    Embeddings,
    Costs,
}

/// Requested page.
pub(super) struct Ask {
    pub width: i64,
    pub start: i64,
    pub end: i64,
    pub limit: i64,
}

pub(super) fn page(report: Report, query: &HashMap<String, String>, key: &str, fault: Fault) -> Content {
    let ask = match Ask::read(report, query) {
        Ok(ask) => ask,
        Err(refusal) => return refusal,
    };
    let group_by = query.get("group_by").or_else(|| query.get("group_by[]"));
    let split = Split {
        by_model: group_by.is_some_and(|group_by| !group_by.is_empty()),
        keys: query.get("api_key_ids").filter(|_| group_by.is_some_and(|group_by| group_by.contains("api_key_id"))),
    };
    let buckets: Vec<Value> = ask
        .starts()
        .into_iter()
        .map(|start| {
            let results = split.results(report, key, start);
            json!({ "object": "bucket", "start_time": start, "end_time": start + ask.width, "results": results })
        })
        .collect();
    let next = ask.next(fault);
    Content::Json(json!({ "object": "page", "data": buckets, "has_more": next.is_some(), "next_page": next }))
}

impl Ask {
    /// Returns the start times of the page's buckets.
    pub(super) fn starts(&self) -> Vec<i64> {
        (0..self.limit).map(|at| self.start + at * self.width).take_while(|at| *at < self.end).collect()
    }

    /// Returns the token of the next page.
    pub(super) fn next(&self, fault: Fault) -> Option<String> {
        let start = self.start + self.limit * self.width;
        match fault {
            Fault::Circle => Some("page_again".to_owned()),
            _ => (start < self.end).then(|| format!("page_{start}")),
        }
    }

    fn read(report: Report, query: &HashMap<String, String>) -> Result<Self, Content> {
        let number = |name: &str| query.get(name).and_then(|text| text.parse::<i64>().ok());
        let Some(from) = number("start_time") else {
            return Err(invalid_request(StatusCode::BAD_REQUEST, "Missing required parameter: 'start_time'.", None));
        };
        let (width, default_limit, max_limit) = match (report, query.get("bucket_width").map_or("1d", String::as_str)) {
            (Report::Costs, "1d") => (DAY, 7, 180),
            (Report::Completions | Report::Embeddings, "1d") => (DAY, 7, 31),
            (Report::Completions | Report::Embeddings, "1h") => (HOUR, 24, 168),
            _ => {
                return Err(invalid_request(
                    StatusCode::BAD_REQUEST,
                    "Invalid value: 'bucket_width'.",
                    Some("invalid_value"),
                ));
            }
        };
        let limit = number("limit").unwrap_or(default_limit);
        if !(1..=max_limit).contains(&limit) {
            let message = format!("Invalid 'limit': integer above maximum value. Expected a value <= {max_limit}.");
            let body = error(&message, "invalid_request_error", Some("limit"), Some("integer_above_max_value"));
            return Err(Content::Error(StatusCode::BAD_REQUEST, body));
        }
        let end = number("end_time").unwrap_or(from + limit * width);
        let resumed = query.get("page").and_then(|page| page.strip_prefix("page_")?.parse().ok());
        let start = resumed.unwrap_or(from.div_euclid(width) * width);
        Ok(Self { width, start, end, limit })
    }
}

/// Split of a report.
struct Split<'q> {
    by_model: bool,
    /// Comma-separated ids of keys, if the report is split by key.
    keys: Option<&'q String>,
}

impl Split<'_> {
    fn results(&self, report: Report, key: &str, start: i64) -> Vec<Value> {
        let Some(keys) = self.keys else { return self.of(report, key, start) };
        keys.split(',')
            .flat_map(|id| {
                let mut rows = self.of(report, id, start);
                rows.iter_mut().for_each(|row| row["api_key_id"] = json!(id));
                rows
            })
            .collect()
    }

    fn of(&self, report: Report, key: &str, start: i64) -> Vec<Value> {
        let models: &[&str] = match report {
            Report::Embeddings => &["text-embedding-3-small"],
            _ => &["gpt-4o-mini-2024-07-18", "gpt-5.4-mini-2026-03-17"],
        };
        let counts = models.iter().map(|model| (*model, figure(key, start, model)));
        if self.by_model {
            return counts.map(|(model, count)| result(report, Some(model), count)).collect();
        }
        vec![result(report, None, counts.map(|(_, count)| count).sum())]
    }
}

/// Returns 1 to 100, from key, bucket and model alone (FNV-1a).
pub(super) fn figure(key: &str, start: i64, model: &str) -> i64 {
    let bytes = key.bytes().chain(start.to_be_bytes()).chain(model.bytes());
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    i64::try_from(hash % 100).unwrap_or(0) + 1
}

/// Builds one result of `requests` requests, each with 100 input and 20 output tokens, a tenth of the input cached, at
/// a hundredth of a cent.
fn result(report: Report, model: Option<&str>, requests: i64) -> Value {
    let none = json!({ "project_id": null, "user_id": null, "api_key_id": null, "api_source": null });
    let figures = match report {
        Report::Completions => json!({
            "object": "organization.usage.completions.result", "model": model, "num_model_requests": requests,
            "input_tokens": requests * 100, "input_cached_tokens": requests * 10, "input_cache_write_tokens": 0,
            "input_uncached_tokens": requests * 90, "output_tokens": requests * 20, "input_audio_tokens": 0,
            "output_audio_tokens": 0, "batch": null, "service_tier": null,
        }),
        Report::Embeddings => json!({
            "object": "organization.usage.embeddings.result", "model": model, "num_model_requests": requests,
            "input_tokens": requests * 100,
        }),
        Report::Costs => json!({
            "object": "organization.costs.result", "line_item": model.map(|model| format!("{model}, input")),
            "amount": { "value": f64::from(i32::try_from(requests).unwrap_or(0)) / 10_000.0, "currency": "usd" },
            "quantity": requests * 100, "quantity_unit": "tokens",
        }),
    };
    let mut row = none;
    if let (Value::Object(row), Value::Object(figures)) = (&mut row, figures) {
        row.extend(figures);
    }
    row
}
