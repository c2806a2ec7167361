//! A small JSON client, which keeps every answer it got: heads and bodies, to be searched.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use reqwest::{Method, header::HeaderMap};
use serde_json::Value;

use super::http_client;

/// Talks to one listener with one key. Clones share what they have seen.
#[derive(Clone)]
pub(crate) struct Api {
    root: String,
    key: String,
    http: reqwest::Client,
    seen: Arc<Mutex<Seen>>,
}

/// Answers received so far.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub(crate) heads: Vec<u8>,
    pub(crate) bodies: Vec<u8>,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// JSON body; null if the body is not JSON.
    pub(crate) body: Value,
}

impl Api {
    pub(crate) fn new(root: String, key: &str) -> Result<Self> {
        Ok(Self { root, key: key.to_owned(), http: http_client()?, seen: Arc::default() })
    }

    /// The same listener, called with another key.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    /// `http://host:port`.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    /// Reads a resource; `path` begins after `/api/v1`.
    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        self.send(Method::GET, &format!("/api/v1{path}"), None, &[]).await?.expect(200)
    }

    /// Posts to a resource, which must answer with this status.
    pub(crate) async fn post(&self, path: &str, body: Value, status: u16) -> Result<Value> {
        self.send(Method::POST, &format!("/api/v1{path}"), Some(body), &[]).await?.expect(status)
    }

    /// Any request.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Result<Answer> {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.root)).bearer_auth(&self.key);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = &body {
            request = request.json(body);
        }
        let response = request.send().await.with_context(|| format!("{method} {path}"))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        // A stream of events has no end: its head is the answer. A body that breaks off is one, too.
        let is_stream = response.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream");
        let text = if is_stream { String::new() } else { response.text().await.unwrap_or_default() };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.heads.extend(format!("{headers:?}\n").into_bytes());
        seen.bodies.extend(format!("{text}\n").into_bytes());
        drop(seen);
        Ok(Answer { status, headers, body: serde_json::from_str(&text).unwrap_or_default(), text })
    }

    /// The same listener and key, remembering answers of its own.
    pub(crate) fn apart(&self) -> Self {
        Self { seen: Arc::default(), ..self.clone() }
    }

    /// Everything that was answered to this client and its clones.
    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Answer {
    /// The body, if the status is this one.
    pub(crate) fn expect(self, status: u16) -> Result<Value> {
        ensure!(self.status == status, "answered {} instead of {status}: {}", self.status, self.text);
        Ok(self.body)
    }

    /// A header's text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The text at a JSON pointer.
pub(crate) fn text(value: &Value, pointer: &str) -> Result<String> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.map(str::to_owned).with_context(|| format!("no text at {pointer} in {value}"))
}
