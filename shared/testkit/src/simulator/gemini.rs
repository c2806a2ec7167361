//! Gemini's own shapes, for keys that begin with `AIzaSim-`. Half of a prompt counts as read from the
//! cache, and every answer is thought about for [`THOUGHTS`] tokens.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    Fault,
    answer::Content,
    chat::{self, tokens_of, words_in},
    models,
};

/// What every answer's thoughts are counted as.
const THOUGHTS: i64 = 3;
const MODELS: [&str; 3] = ["gemini-2.5-flash", "gemini-2.5-pro", "gemini-embedding-001"];
/// The model whose embeddings are counted.
const COUNTED_EMBEDDING: &str = "gemini-embedding-2";

/// Whether a key is one of Google's here.
pub(super) fn is_key(key: &str) -> bool {
    key.starts_with("AIza")
}

/// Google's own words for what is wrong with a key; `None` for the faults that have no words.
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

/// What a good key is answered with at `path`, which begins with the version of the API.
pub(super) fn content(method: &Method, path: &str, query: &str, body: &[u8], number: u64) -> Content {
    let path = path.strip_prefix("/v1beta").or_else(|| path.strip_prefix("/v1")).unwrap_or(path);
    let name = path.strip_prefix("/models").map(|name| name.trim_start_matches('/'));
    match (method.as_str(), path, name) {
        ("POST", "/openai/chat/completions", _) => chat::chat(body, number),
        ("POST", "/openai/embeddings", _) => chat::embeddings(body),
        ("GET", _, Some("")) => page(query),
        ("GET", _, Some(name)) if models::exists(name) => Content::Json(described(name)),
        ("POST", _, Some(call)) => match call.split_once(':') {
            Some((name, verb)) if models::exists(name) => answered(name, verb, query, body),
            _ => not_found(call),
        },
        _ => not_found(path),
    }
}

fn answered(model: &str, verb: &str, query: &str, body: &[u8]) -> Content {
    let Ok(request) = serde_json::from_slice::<Value>(body) else {
        return error(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", "Invalid JSON payload received.");
    };
    let input = words_in(&request["systemInstruction"]) + words_in(&request["contents"]);
    match verb {
        "generateContent" => {
            let reply = reply(input);
            Content::Json(chunk(model, input, &reply, tokens_of(&reply), true))
        }
        "streamGenerateContent" => streamed(model, input, query.split('&').any(|pair| pair == "alt=sse")),
        "countTokens" => Content::Json(json!({ "totalTokens": input })),
        "embedContent" => with_count(model, &request, json!({ "embedding": vector() })),
        "batchEmbedContents" => {
            let count = request["requests"].as_array().map_or(0, Vec::len);
            with_count(model, &request["requests"], json!({ "embeddings": vec![vector(); count] }))
        }
        _ => not_found(verb),
    }
}

/// Server-sent events with Google's line ends and without an end of their own, or one list of the same.
fn streamed(model: &str, input: i64, as_events: bool) -> Content {
    let reply = reply(input);
    let words: Vec<&str> = reply.split_inclusive(' ').collect();
    let chunks =
        words.iter().zip(1..).map(|(word, count)| chunk(model, input, word, count, count == tokens_of(&reply)));
    if as_events {
        Content::Frames(chunks.map(|chunk| format!("data: {chunk}\r\n\r\n")).collect())
    } else {
        Content::Json(chunks.collect())
    }
}

fn reply(input: i64) -> String {
    format!("This is a simulated answer to {input} words.")
}

/// A part of an answer. Its figures are those of the whole up to here; a count of 0 is left out.
fn chunk(model: &str, input: i64, text: &str, output: i64, is_last: bool) -> Value {
    let mut candidate = json!({ "index": 0, "content": { "role": "model", "parts": [{ "text": text }] } });
    if is_last {
        candidate["finishReason"] = json!("STOP");
    }
    let mut figures = json!({
        "promptTokenCount": input, "candidatesTokenCount": output, "thoughtsTokenCount": THOUGHTS,
        "totalTokenCount": input + output + THOUGHTS,
    });
    if input > 1 {
        figures["cachedContentTokenCount"] = json!(input / 2);
    }
    json!({ "candidates": [candidate], "usageMetadata": figures, "modelVersion": model, "responseId": "simulated" })
}

/// Only newer models count what they embed.
fn with_count(model: &str, requests: &Value, mut embedded: Value) -> Content {
    if model == COUNTED_EMBEDDING {
        embedded["usageMetadata"] = json!({ "promptTokenCount": words_in(requests) });
    }
    Content::Json(embedded)
}

fn vector() -> Value {
    json!({ "values": [0.0130, -0.0087, -0.0467] })
}

fn described(name: &str) -> Value {
    let verbs = if name.contains("embedding") { vec!["embedContent"] } else { vec!["generateContent", "countTokens"] };
    json!({ "name": format!("models/{name}"), "version": "001", "displayName": name,
        "inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536, "supportedGenerationMethods": verbs })
}

/// One page of the models; its token is how many came before.
fn page(query: &str) -> Content {
    let number = |name: &str| {
        query.split('&').filter_map(|pair| pair.split_once('=')).find(|pair| pair.0 == name)?.1.parse::<usize>().ok()
    };
    let (skipped, size) = (number("pageToken").unwrap_or(0), number("pageSize").unwrap_or(50).max(1));
    let listed: Vec<Value> = MODELS.iter().skip(skipped).take(size).map(|name| described(name)).collect();
    let mut page = json!({ "models": listed });
    if skipped + size < MODELS.len() {
        page["nextPageToken"] = json!((skipped + size).to_string());
    }
    Content::Json(page)
}

fn not_found(what: &str) -> Content {
    error(StatusCode::NOT_FOUND, "NOT_FOUND", &format!("models/{what} is not found for API version v1beta."))
}

fn error(code: StatusCode, status: &str, message: &str) -> Content {
    Content::Error(code, json!({ "error": { "code": code.as_u16(), "message": message, "status": status } }))
}
