//! Reads the few fields of a JSON request body that routing and metering need, and changes them in place: every other
//! byte stays as the caller sent it. The provider checks the rest.

use std::ops::Range;

use bytes::Bytes;
use keyway_providers::scan::{self, Malformed, Opening};

/// Byte ranges of the fields.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    model: Option<Range<usize>>,
    stream: Option<Range<usize>>,
    stream_options: Option<Range<usize>>,
    /// Range within the object of `stream_options`.
    include_usage: Option<Range<usize>>,
    opening: Opening,
}

impl Fields {
    /// Finds the fields of a body.
    ///
    /// # Errors
    /// The body is not a JSON object, or has one of these fields twice.
    pub(crate) fn of(body: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Self::default();
        fields.opening = scan::fields(body, |name, value| {
            let before = fields.slot(name).and_then(|slot| slot.replace(value));
            if before.is_some() { Err(Malformed) } else { Ok(()) }
        })?;
        Ok(fields)
    }

    /// Returns the model, if it is a string.
    pub(crate) fn model(&self, body: &[u8]) -> Option<String> {
        serde_json::from_slice(body.get(self.model.clone()?)?).ok()
    }

    /// Returns `true` if the caller asked for a stream.
    pub(crate) fn streams(&self, body: &[u8]) -> bool {
        self.stream.clone().and_then(|at| body.get(at)) == Some(b"true")
    }

    /// Returns the body with another model.
    pub(crate) fn with_model(&self, body: &[u8], model: &str) -> Bytes {
        let text = serde_json::Value::from(model).to_string();
        self.set(body, self.model.clone(), "model", &text)
    }

    /// Returns the body with `"stream":true`.
    pub(crate) fn with_stream(&self, body: &[u8]) -> Bytes {
        self.set(body, self.stream.clone(), "stream", "true")
    }

    /// Returns the body with `stream_options.include_usage` set; `None` if the caller has set it.
    pub(crate) fn with_usage(&self, body: &[u8]) -> Result<Option<Bytes>, Malformed> {
        const ASKED: &str = r#"{"include_usage":true}"#;
        let Some(at) = self.stream_options.clone() else {
            return Ok(Some(self.set(body, None, "stream_options", ASKED)));
        };
        let options = body.get(at.clone()).ok_or(Malformed)?;
        if !options.starts_with(b"{") {
            return Ok(Some(splice(body, at, ASKED)));
        }
        let inner = Self::of(options)?;
        if inner.include_usage.clone().and_then(|at| options.get(at)) == Some(b"true") {
            return Ok(None);
        }
        let asked = inner.set(options, inner.include_usage.clone(), "include_usage", "true");
        Ok(Some(splice_bytes(body, at, &asked)))
    }

    fn set(&self, body: &[u8], at: Option<Range<usize>>, name: &str, value: &str) -> Bytes {
        match at {
            Some(at) => splice(body, at, value),
            None => {
                let comma = if self.opening.is_empty { "" } else { "," };
                splice(body, self.opening.start..self.opening.start, &format!("\"{name}\":{value}{comma}"))
            }
        }
    }

    fn slot(&mut self, name: &[u8]) -> Option<&mut Option<Range<usize>>> {
        match name {
            b"model" => Some(&mut self.model),
            b"stream" => Some(&mut self.stream),
            b"stream_options" => Some(&mut self.stream_options),
            b"include_usage" => Some(&mut self.include_usage),
            _ => None,
        }
    }
}

fn splice(body: &[u8], at: Range<usize>, text: &str) -> Bytes {
    splice_bytes(body, at, text.as_bytes())
}

fn splice_bytes(body: &[u8], at: Range<usize>, text: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(body.len() + text.len());
    out.extend_from_slice(&body[..at.start]);
    out.extend_from_slice(text);
    out.extend_from_slice(&body[at.end..]);
    out.into()
}

#[cfg(test)]
#[path = "inspect_tests.rs"]
mod tests;
