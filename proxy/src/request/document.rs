//! A JSON request body with the few fields that routing and metering need: read once, and changed in place, so that every
//! other byte stays as the caller sent it. The provider checks the rest.

use std::ops::Range;

use bytes::Bytes;
use keyway_providers::scan::{self, Malformed, Opening};

/// A body, and where its fields stand in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    text: Bytes,
    fields: Fields,
}

/// Byte ranges of the fields' values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Fields {
    model: Option<Range<usize>>,
    stream: Option<Range<usize>>,
    stream_options: Option<Range<usize>>,
    /// Range within the object of `stream_options`.
    include_usage: Option<Range<usize>>,
    opening: Opening,
}

impl Document {
    /// Finds the fields of a body.
    ///
    /// # Errors
    /// The body is not a JSON object, or has one of these fields twice.
    pub(crate) fn of(text: Bytes) -> Result<Self, Malformed> {
        let mut fields = Fields::default();
        fields.opening = scan::fields(&text, |name, value| {
            let before = fields.slot(name).and_then(|slot| slot.replace(value));
            if before.is_some() { Err(Malformed) } else { Ok(()) }
        })?;
        Ok(Self { text, fields })
    }

    /// Returns the body as it is now.
    pub(crate) const fn text(&self) -> &Bytes {
        &self.text
    }

    /// Returns the body as it is now, and drops the rest.
    pub(crate) fn into_text(self) -> Bytes {
        self.text
    }

    /// Returns the model, if it is a string.
    pub(crate) fn model(&self) -> Option<String> {
        serde_json::from_slice(self.value(self.fields.model.as_ref())?).ok()
    }

    /// Returns `true` if the caller asked for a stream.
    pub(crate) fn streams(&self) -> bool {
        self.value(self.fields.stream.as_ref()) == Some(b"true")
    }

    /// Sets the model.
    pub(crate) fn set_model(&mut self, model: &str) {
        self.set("model", &serde_json::Value::from(model).to_string());
    }

    /// Sets `"stream":true`.
    pub(crate) fn set_stream(&mut self) {
        self.set("stream", "true");
    }

    /// Sets `stream_options.include_usage`; returns `false` if the caller has set it.
    ///
    /// # Errors
    /// The options are an object that has a field twice; nothing is changed.
    pub(crate) fn ask_usage(&mut self) -> Result<bool, Malformed> {
        const ASKED: &str = r#"{"include_usage":true}"#;
        let options = self.fields.stream_options.clone().map(|at| self.text.slice(at));
        let Some(options) = options.filter(|options| options.starts_with(b"{")) else {
            self.set("stream_options", ASKED);
            return Ok(true);
        };
        let mut options = Self::of(options)?;
        if options.value(options.fields.include_usage.as_ref()) == Some(b"true") {
            return Ok(false);
        }
        options.set("include_usage", "true");
        self.set("stream_options", &String::from_utf8_lossy(&options.text));
        Ok(true)
    }

    fn value(&self, at: Option<&Range<usize>>) -> Option<&[u8]> {
        self.text.get(at?.clone())
    }

    /// Puts a value in the place of the field's present one, or the field in front of all others.
    fn set(&mut self, name: &'static str, value: &str) {
        let there = self.fields.slot(name.as_bytes()).and_then(|slot| slot.clone());
        let comma = if self.fields.opening.is_empty { "" } else { "," };
        let (at, text, value_start) = match there {
            Some(at) => (at.clone(), value.to_owned(), at.start),
            None => {
                let start = self.fields.opening.start;
                (start..start, format!("\"{name}\":{value}{comma}"), start + name.len() + 3)
            }
        };
        let mut out = Vec::with_capacity(self.text.len() + text.len());
        out.extend_from_slice(&self.text[..at.start]);
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(&self.text[at.end..]);
        self.text = out.into();
        self.fields.moved(&at, text.len());
        if let Some(slot) = self.fields.slot(name.as_bytes()) {
            *slot = Some(value_start..value_start + value.len());
        }
        self.fields.opening.is_empty = false;
    }
}

impl Fields {
    fn slot(&mut self, name: &[u8]) -> Option<&mut Option<Range<usize>>> {
        match name {
            b"model" => Some(&mut self.model),
            b"stream" => Some(&mut self.stream),
            b"stream_options" => Some(&mut self.stream_options),
            b"include_usage" => Some(&mut self.include_usage),
            _ => None,
        }
    }

    /// Follows an edit: the bytes of `at` have become `length` others.
    fn moved(&mut self, at: &Range<usize>, length: usize) {
        for range in [&mut self.model, &mut self.stream, &mut self.stream_options, &mut self.include_usage] {
            if let Some(range) = range.as_mut().filter(|range| range.start >= at.end) {
                *range = range.start - at.len() + length..range.end - at.len() + length;
            }
        }
    }
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
