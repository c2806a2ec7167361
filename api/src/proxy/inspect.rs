//! Reads the few fields of a JSON request body that routing and metering need, and changes them in
//! place: every other byte stays what the caller sent.
//!
//! The scan checks only as much as it needs to find the end of each value; the provider checks the rest.

use std::ops::Range;

use bytes::Bytes;

/// Deeper bodies are refused, so that a scan cannot be made to cost more than its length.
const MAX_DEPTH: usize = 128;

/// The body is not a JSON object, or names a field twice that we have to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Where the fields are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    model: Option<Range<usize>>,
    stream: Option<Range<usize>>,
    stream_options: Option<Range<usize>>,
    /// Only in the object of `stream_options`.
    include_usage: Option<Range<usize>>,
    /// Just behind the opening brace.
    start: usize,
    is_empty: bool,
}

impl Fields {
    /// Finds the fields of a body.
    pub(super) fn of(body: &[u8]) -> Result<Self, Malformed> {
        let mut scan = Scan { bytes: body, at: 0 };
        let fields = scan.object()?;
        scan.blank();
        if scan.at == body.len() { Ok(fields) } else { Err(Malformed) }
    }

    /// The model, if it is a text.
    pub(super) fn model(&self, body: &[u8]) -> Option<String> {
        serde_json::from_slice(body.get(self.model.clone()?)?).ok()
    }

    /// Whether the caller asked for a stream.
    pub(super) fn streams(&self, body: &[u8]) -> bool {
        self.stream.clone().and_then(|at| body.get(at)) == Some(b"true")
    }

    /// The body with another model.
    pub(super) fn with_model(&self, body: &[u8], model: &str) -> Bytes {
        let text = serde_json::Value::from(model).to_string();
        self.set(body, self.model.clone(), "model", &text)
    }

    /// The body with `"stream":true`.
    pub(super) fn with_stream(&self, body: &[u8]) -> Bytes {
        self.set(body, self.stream.clone(), "stream", "true")
    }

    /// The body with `stream_options.include_usage` set; `None` when the caller set it already.
    pub(super) fn with_usage(&self, body: &[u8]) -> Result<Option<Bytes>, Malformed> {
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
                let comma = if self.is_empty { "" } else { "," };
                splice(body, self.start..self.start, &format!("\"{name}\":{value}{comma}"))
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

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn object(&mut self) -> Result<Fields, Malformed> {
        self.expect(b'{')?;
        let mut fields = Fields { start: self.at, ..Fields::default() };
        self.blank();
        if self.peek() == Some(b'}') {
            self.at += 1;
            fields.is_empty = true;
            return Ok(fields);
        }
        loop {
            self.blank();
            let name = self.text()?;
            self.expect(b':')?;
            self.blank();
            let start = self.at;
            self.value()?;
            let name = &self.bytes[name];
            // An escaped name is another spelling of the same field; the provider will read it as that.
            let decoded =
                name.contains(&b'\\').then(|| serde_json::from_slice::<String>(&[b"\"", name, b"\""].concat()));
            let name = match &decoded {
                None => name,
                Some(Ok(text)) => text.as_bytes(),
                Some(Err(_)) => return Err(Malformed),
            };
            if let Some(slot) = fields.slot(name)
                && slot.replace(start..self.at).is_some()
            {
                return Err(Malformed);
            }
            self.blank();
            match self.next()? {
                b',' => {}
                b'}' => return Ok(fields),
                _ => return Err(Malformed),
            }
        }
    }

    /// Passes over any value. Which closing bracket belongs to which opening one is the provider's to check.
    fn value(&mut self) -> Result<(), Malformed> {
        let mut depth = 0_usize;
        loop {
            self.blank();
            match self.peek().ok_or(Malformed)? {
                b'"' => {
                    self.text()?;
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                    if depth > MAX_DEPTH {
                        return Err(Malformed);
                    }
                    continue;
                }
                b'}' | b']' if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                }
                b',' | b':' if depth > 0 => {
                    self.at += 1;
                    continue;
                }
                byte if byte.is_ascii_alphanumeric() || byte == b'-' => {
                    let rest = &self.bytes[self.at..];
                    let is_scalar = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
                    self.at += rest.iter().position(|byte| !is_scalar(byte)).unwrap_or(rest.len());
                }
                _ => return Err(Malformed),
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    /// Passes over a text; the range is what is between its quotes.
    fn text(&mut self) -> Result<Range<usize>, Malformed> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            let rest = &self.bytes[self.at..];
            let stop = memchr::memchr2(b'"', b'\\', rest).ok_or(Malformed)?;
            self.at += stop + 1;
            if rest[stop] == b'"' {
                return Ok(start..self.at - 1);
            }
            self.next()?;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        self.blank();
        if self.next()? == byte { Ok(()) } else { Err(Malformed) }
    }

    fn next(&mut self) -> Result<u8, Malformed> {
        let byte = self.peek().ok_or(Malformed)?;
        self.at += 1;
        Ok(byte)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }
}

#[cfg(test)]
#[path = "inspect_tests.rs"]
mod tests;
