//! What a good answer holds, before it is put on the wire.

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;

/// Content of a good answer.
pub(super) enum Content {
    /// One JSON body.
    Json(Value),
    /// Data of server-sent events; `[DONE]` is added.
    Events(Vec<Value>),
    /// Server-sent events, each complete with its blank line; nothing is added.
    Frames(Vec<String>),
    /// Bytes with a content type.
    Bytes(String, Bytes),
    /// An error of the provider.
    Error(StatusCode, Value),
}
