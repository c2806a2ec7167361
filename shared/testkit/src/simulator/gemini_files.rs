//! Google's files. An upload begins with the key, and continues at an address that is a permission of its own: requests
//! to it carry no key.

use http::header;
use serde_json::{Value, json};

use super::{
    answer::{self, Answer},
    call::Call,
    content::Content,
    gemini_shape,
    state::State,
};

const FILES: &str = "files/sim";
const UPLOADS: &str = "upload_sim";
const TIME: &str = "2026-11-01T00:00:00.000000Z";

/// Begins an upload, if a call with a good key asks for one.
pub(super) fn begin(state: &State, call: &Call) -> Option<Answer> {
    if !call.path.starts_with("/upload/") || text(call, "x-goog-upload-command") != "start" {
        return None;
    }
    let asked: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let kind = text(call, "x-goog-upload-header-content-type");
    let id = state.keep_file(
        UPLOADS,
        bytes::Bytes::new(),
        |id| json!({ "id": id, "mimeType": kind, "displayName": asked["file"]["displayName"] }),
    );
    let (host, id) = (text(call, header::HOST.as_str()), id["id"].as_str().unwrap_or_default());
    let url = format!("http://{host}{}?upload_id={id}&upload_protocol=resumable", call.path);
    let headers = answer::with_status(200)
        .header("x-goog-upload-status", "active")
        .header("x-goog-upload-chunk-granularity", "262144")
        .header("x-goog-upload-url", url);
    Some(answer::whole(headers, bytes::Bytes::new()))
}

/// Accepts a piece of a running upload; the last one completes the file.
pub(super) fn go_on(state: &State, call: &Call) -> Option<Answer> {
    let id = call.query.split('&').find_map(|pair| pair.strip_prefix("upload_id="))?;
    let offset = text(call, "x-goog-upload-offset").parse().ok()?;
    let (begun, bytes) = state.extend_file(id, &call.body, offset)?;
    if !text(call, "x-goog-upload-command").ends_with("finalize") {
        return Some(answer::whole(
            answer::with_status(200).header("x-goog-upload-status", "active"),
            bytes::Bytes::new(),
        ));
    }
    let length = bytes.len().to_string();
    let file = state.keep_file(FILES, bytes, |name| {
        json!({ "name": name, "displayName": begun["displayName"], "mimeType": begun["mimeType"], "sizeBytes": length,
            "createTime": TIME, "updateTime": TIME, "state": "ACTIVE", "source": "UPLOADED",
            "uri": format!("https://generativelanguage.googleapis.com/v1beta/{name}") })
    });
    let headers = answer::with_status(200).header("x-goog-upload-status", "final");
    Some(answer::finish(headers, &json!({ "file": file })))
}

/// Returns metadata of files, for calls whose path ends with `path`: `/files`, `/files/...`.
pub(super) fn content(state: &State, method: &str, path: &str) -> Content {
    let name = path.trim_start_matches('/');
    match (method, name) {
        ("GET", "files") => Content::Json(json!({ "files": state.files(FILES) })),
        ("DELETE", name) => {
            state.delete_file(name);
            Content::Json(json!({}))
        }
        (_, name) => state.file(name).map_or_else(|| gemini_shape::not_found(name), |(file, _)| Content::Json(file)),
    }
}

fn text<'a>(call: &'a Call, name: &str) -> &'a str {
    call.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
