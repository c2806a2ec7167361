//! Files and audio: form uploads, and answers that are bytes.

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use memchr::memmem;
use serde_json::{Value, json};

use super::{chat::tokens_of, content::Content, openai::invalid_request, state::State};

const FILES: &str = "file-sim";
const CREATED: i64 = 1_793_500_000;
const SPOKEN: &str = "one two three";

/// One part of a form.
pub(super) struct Part<'a> {
    pub name: String,
    pub filename: Option<String>,
    /// Content type of the part.
    pub kind: Option<String>,
    pub body: &'a [u8],
}

/// Serves `/files` and paths below it; `None`: no such endpoint.
pub(super) fn files(state: &State, method: &str, path: &str, headers: &HeaderMap, body: &[u8]) -> Option<Content> {
    let rest = path.strip_prefix("/files")?;
    let (id, content) = match rest.strip_prefix('/').map(|rest| rest.split_once('/').unwrap_or((rest, ""))) {
        None => ("", false),
        Some((id, "")) => (id, false),
        Some((id, "content")) => (id, true),
        Some(_) => return None,
    };
    Some(match (method, id.is_empty(), content) {
        ("POST", true, false) => upload(state, headers, body),
        ("GET", true, false) => {
            Content::Json(json!({ "object": "list", "data": state.files(FILES), "has_more": false }))
        }
        ("GET", false, _) => match state.file(id) {
            Some((_, bytes)) if content => Content::Bytes("application/octet-stream".to_owned(), bytes),
            Some((file, _)) => Content::Json(file),
            None => missing(id),
        },
        ("DELETE", false, false) => {
            state.delete_file(id);
            Content::Json(json!({ "id": id, "object": "file", "deleted": true }))
        }
        _ => return None,
    })
}

/// Transcribes any sound to the same text.
pub(super) fn transcribe(headers: &HeaderMap, body: &[u8]) -> Content {
    let parts = parts(headers, body);
    let Some(sound) = parts.iter().find(|part| part.name == "file") else { return no_form() };
    let input = i64::try_from(sound.body.len() / 1000).unwrap_or(0);
    let output = tokens_of(SPOKEN);
    let usage = json!({ "type": "tokens", "input_tokens": input, "output_tokens": output, "total_tokens": input + output,
        "input_token_details": { "text_tokens": 0, "audio_tokens": input } });
    Content::Json(json!({ "text": SPOKEN, "usage": usage }))
}

/// Returns a sound for a text: its bytes, repeated.
pub(super) fn speak(body: &[u8]) -> Content {
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    match request["input"].as_str() {
        Some(text) => Content::Bytes("audio/mpeg".to_owned(), text.repeat(1000).into()),
        None => no_form(),
    }
}

fn upload(state: &State, headers: &HeaderMap, body: &[u8]) -> Content {
    let parts = parts(headers, body);
    let text = |name: &str| parts.iter().find(|part| part.name == name).map(|part| String::from_utf8_lossy(part.body));
    let Some(file) = parts.iter().find(|part| part.name == "file") else { return no_form() };
    Content::Json(state.keep_file(FILES, Bytes::copy_from_slice(file.body), |id| {
        json!({ "id": id, "object": "file", "bytes": file.body.len(), "created_at": CREATED,
            "filename": file.filename, "purpose": text("purpose"), "status": "processed" })
    }))
}

/// Returns the parts of a form; none if the body is not a form.
pub(super) fn parts<'a>(headers: &HeaderMap, body: &'a [u8]) -> Vec<Part<'a>> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some((_, boundary)) = kind.split_once("boundary=") else { return Vec::new() };
    let line = format!("--{}", boundary.trim_matches('"'));
    let starts: Vec<usize> = memmem::find_iter(body, line.as_bytes()).collect();
    let between = starts.windows(2).filter_map(|pair| body.get(pair[0] + line.len() + 2..pair[1].checked_sub(2)?));
    between.filter_map(part).collect()
}

fn part(text: &[u8]) -> Option<Part<'_>> {
    let end = memmem::find(text, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(text.get(..end)?).into_owned();
    let quoted = |name: &str| {
        let (_, rest) = head.split_once(&format!(" {name}=\""))?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    };
    let kind =
        head.lines().filter_map(|line| line.split_once(": ")).find(|line| line.0.eq_ignore_ascii_case("content-type"));
    let kind = kind.map(|(_, kind)| kind.to_owned());
    Some(Part { name: quoted("name")?, filename: quoted("filename"), kind, body: text.get(end + 4..)? })
}

fn no_form() -> Content {
    invalid_request(StatusCode::BAD_REQUEST, "We could not parse your request body. Please include a file.", None)
}

fn missing(id: &str) -> Content {
    invalid_request(StatusCode::NOT_FOUND, &format!("No such File object: {id}"), None)
}
