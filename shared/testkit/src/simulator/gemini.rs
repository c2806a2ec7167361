//! Gemini's own shapes, for keys that begin with `AIzaSim-`. Half of a prompt counts as read from the cache, and every
//! answer has [`THOUGHTS`] reasoning tokens.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    call::Call,
    chat::{self, tokens_of, words_in},
    content::Content,
    gemini_files,
    gemini_shape::{error, not_found},
    models,
    state::State,
};

/// Reasoning tokens of every answer.
const THOUGHTS: i64 = 3;
const MODELS: [&str; 3] = ["gemini-2.5-flash", "gemini-2.5-pro", "gemini-embedding-001"];
/// Model whose embeddings report token counts.
const COUNTED_EMBEDDING: &str = "gemini-embedding-2";

/// Answers a good key at `path`, which begins with the version of the API.
pub(super) fn content(state: &State, call: &Call, number: u64) -> Content {
    let (method, path, query, body) = (&call.method, call.path.as_str(), call.query.as_str(), &call.body);
    let path = path.strip_prefix("/v1beta").or_else(|| path.strip_prefix("/v1")).unwrap_or(path);
    let name = path.strip_prefix("/models").map(|name| name.trim_start_matches('/'));
    match (method.as_str(), path, name) {
        ("POST", "/openai/chat/completions", _) => chat::chat(body, number),
        ("POST", "/openai/embeddings", _) => chat::embeddings(body),
        (method, path, None) if path.starts_with("/files") => gemini_files::content(state, method, path),
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
            let parts = pieces(&request, input, false);
            Content::Json(chunk(model, input, &parts[0], written(&parts), true))
        }
        "streamGenerateContent" => {
            streamed(model, input, &pieces(&request, input, true), query.split('&').any(|pair| pair == "alt=sse"))
        }
        "countTokens" => Content::Json(json!({ "totalTokens": input })),
        "embedContent" => with_count(model, &request, json!({ "embedding": vector() })),
        "batchEmbedContents" => {
            let count = request["requests"].as_array().map_or(0, Vec::len);
            with_count(model, &request["requests"], json!({ "embeddings": vec![vector(); count] }))
        }
        _ => not_found(verb),
    }
}

/// Returns server-sent events with Google's line ends and without `[DONE]`, or one JSON list of the same.
fn streamed(model: &str, input: i64, parts: &[Value], as_events: bool) -> Content {
    let chunks = (1..=parts.len())
        .map(|count| chunk(model, input, &parts[count - 1], written(&parts[..count]), count == parts.len()));
    if as_events {
        Content::Frames(chunks.map(|chunk| format!("data: {chunk}\r\n\r\n")).collect())
    } else {
        Content::Json(chunks.collect())
    }
}

/// Returns the parts of the answer, whole or word by word: a call of the first function, if the request has functions
/// and no result of one yet.
fn pieces(request: &Value, input: i64, by_word: bool) -> Vec<Value> {
    let function = &request["tools"][0]["functionDeclarations"][0];
    if function.is_object() && !request["contents"].to_string().contains("\"functionResponse\"") {
        let schema = ["parameters", "parametersJsonSchema"].map(|field| &function[field]["properties"]);
        let fields = schema.into_iter().filter_map(Value::as_object).flat_map(|fields| fields.keys());
        let args: Map<String, Value> = fields.map(|field| (field.clone(), json!("simulated"))).collect();
        return vec![json!({ "functionCall": { "name": function["name"], "args": args } })];
    }
    let reply = format!("This is a simulated answer to {input} words.");
    if by_word {
        reply.split_inclusive(' ').map(|word| json!({ "text": word })).collect()
    } else {
        vec![json!({ "text": reply })]
    }
}

/// Counts the tokens of parts of an answer.
fn written(parts: &[Value]) -> i64 {
    parts.iter().map(|part| part["text"].as_str().map_or_else(|| tokens_of(&part.to_string()), tokens_of)).sum()
}

/// Builds a chunk of an answer. Its figures are those of the whole up to here; a count of 0 is left out.
fn chunk(model: &str, input: i64, part: &Value, output: i64, is_last: bool) -> Value {
    let mut candidate = json!({ "index": 0, "content": { "role": "model", "parts": [part] } });
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

/// Adds a token count, which only newer models report for embeddings.
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

/// Returns one page of the models; its token is the number of models before it.
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
