//! Reads the figures of an answer as its bytes pass, whatever its content type: events and JSON documents are
//! recognised by their first bytes. Any other body has no figures. Changes nothing.

use bytes::Bytes;
use keyway_providers::{Ending, Figures, JsonBody};
use memchr::memmem;

use super::sse::{Block, Sse};

/// Byte order mark, which some providers write first.
const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];
/// Beginnings of an event stream.
const EVENT_BEGINNINGS: [&[u8]; 5] = [b"data:", b"event:", b"id:", b"retry:", b":"];

/// The figures of one answer, and the form of its body.
pub(crate) struct Reading {
    pub(crate) figures: Figures,
    form: Form,
    /// `true` if the content type is that of events.
    is_labelled: bool,
    /// Number of leading blank bytes in the last chunk.
    blank: usize,
    /// `true` once an event with data has come.
    has_events: bool,
    has_failed: bool,
}

enum Form {
    /// Only blanks so far.
    Unknown,
    Events(Box<Sse>),
    Json(Box<JsonBody>),
    Opaque,
}

/// Content of a block of an event stream.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// A part of the requested answer.
    Answer,
    /// Figures and nothing else.
    Figures,
    /// Rest of the block before.
    Rest,
}

/// Form of a body, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Only blanks.
    Unknown,
    Events,
    Json,
    Opaque,
}

impl Reading {
    /// Builds a reading before the first byte. `is_labelled`: the content type is that of events.
    pub(crate) const fn new(figures: Figures, is_labelled: bool) -> Self {
        Self { figures, form: Form::Unknown, is_labelled, blank: 0, has_events: false, has_failed: false }
    }

    /// Reads a chunk. Calls `see` for each block of an event stream, with the offset of its end and its content.
    pub(crate) fn read(&mut self, chunk: &Bytes, mut see: impl FnMut(usize, Part)) {
        self.blank = 0;
        if matches!(self.form, Form::Unknown) {
            self.blank = chunk.len() - begun(chunk).len();
            self.form = match Look::of(chunk) {
                Look::Unknown => Form::Unknown,
                Look::Events => Form::Events(Box::default()),
                Look::Json => Form::Json(Box::default()),
                // A field that nobody knows is one that a stream may begin with.
                Look::Opaque if self.is_labelled => Form::Events(Box::default()),
                Look::Opaque => Form::Opaque,
            };
        }
        let Self { figures, form, has_events, has_failed, blank, .. } = self;
        match form {
            Form::Events(sse) => sse.push(&chunk[*blank..], |block| {
                let is_only_figures = event(figures, &block, (has_events, has_failed));
                let part = match (block.is_rest, is_only_figures) {
                    (true, _) => Part::Rest,
                    (false, true) => Part::Figures,
                    (false, false) => Part::Answer,
                };
                see(*blank + block.end, part);
            }),
            Form::Json(body) => body.push(figures, &chunk.slice(*blank..)),
            Form::Unknown | Form::Opaque => {}
        }
    }

    /// Reads the rest at the end of the answer. Returns `true` if the stream ended within an event that has nothing but
    /// figures.
    pub(crate) fn finish(&mut self) -> bool {
        let Self { figures, form, has_events, has_failed, .. } = self;
        let mut is_only_figures = false;
        match form {
            Form::Events(sse) => sse.finish(|block| is_only_figures = event(figures, &block, (has_events, has_failed))),
            Form::Json(body) => body.finish(figures),
            Form::Unknown | Form::Opaque => {}
        }
        is_only_figures
    }

    /// Returns `true` for an event stream.
    pub(crate) const fn is_stream(&self) -> bool {
        matches!(self.form, Form::Events(_)) || self.is_labelled && matches!(self.form, Form::Unknown)
    }

    /// Returns the number of bytes of the last chunk that are complete lines; `None`: it is no event stream.
    pub(crate) fn ended_lines(&self) -> Option<usize> {
        let Form::Events(sse) = &self.form else { return None };
        Some(sse.line_end().map_or(0, |end| self.blank + end))
    }

    /// Returns the newlines that complete the event that has passed.
    pub(crate) fn closing(&self) -> &'static str {
        if let Form::Events(sse) = &self.form { sse.closing() } else { "" }
    }

    /// Returns how the answer ended, by its own shape.
    pub(crate) fn ending(&self) -> Ending {
        match &self.form {
            _ if self.has_failed => Ending::Failed,
            Form::Events(_) if !self.has_events => Ending::Whole,
            // Its end was not seen, which is no sign that it had none.
            Form::Json(body) if body.is_unreadable() => Ending::Whole,
            Form::Events(_) | Form::Json(_) => self.figures.ending(),
            Form::Unknown | Form::Opaque => Ending::Whole,
        }
    }
}

impl Look {
    /// Returns the form of a body that begins so.
    pub(crate) fn of(beginning: &[u8]) -> Self {
        let text = begun(beginning);
        match text.first() {
            None => Self::Unknown,
            Some(b'{' | b'[') => Self::Json,
            Some(_) => {
                let begins = |beginning: &[u8]| text.starts_with(beginning) || beginning.starts_with(text);
                if EVENT_BEGINNINGS.into_iter().any(begins) { Self::Events } else { Self::Opaque }
            }
        }
    }
}

/// Returns the beginning of a body without blanks and without a byte order mark, complete or cut.
pub(crate) fn begun(text: &[u8]) -> &[u8] {
    let is_nothing = |byte: &u8| byte.is_ascii_whitespace() || BYTE_ORDER_MARK.contains(byte);
    &text[text.iter().take_while(|byte| is_nothing(byte)).count()..]
}

/// Reads one block; returns `true` if it has nothing but figures.
fn event(figures: &mut Figures, block: &Block<'_>, (has_events, has_failed): (&mut bool, &mut bool)) -> bool {
    *has_failed |= block.is_error;
    let Some(data) = block.data else { return false };
    *has_events = true;
    let has_figures = figures.event(data.text().trim_ascii());
    has_figures && data.is_whole() && has_no_choices(data.text())
}

/// Returns `true` if the data has an empty list of choices. Inside a text every quote is escaped, so the bytes
/// `"choices"` are always a name.
fn has_no_choices(data: &[u8]) -> bool {
    let Some(at) = memmem::find(data, b"\"choices\"") else { return false };
    let value = data[at + 9..].trim_ascii_start().strip_prefix(b":").unwrap_or_default();
    let Some(list) = value.trim_ascii_start().strip_prefix(b"[") else { return false };
    list.trim_ascii_start().starts_with(b"]")
}

#[cfg(test)]
mod tests {
    use keyway_providers::Catalog;

    use super::*;

    fn read(body: &[u8], cut: usize, is_labelled: bool) -> (Option<i64>, Ending) {
        let catalog = Catalog::load(None).unwrap();
        let figures = Figures::new(catalog.get("openai").unwrap(), "/v1/chat/completions");
        let mut reading = Reading::new(figures, is_labelled);
        body.chunks(cut).for_each(|chunk| reading.read(&Bytes::copy_from_slice(chunk), |_, _| ()));
        reading.finish();
        (reading.figures.take().tokens.output, reading.ending())
    }

    #[test]
    fn figures_are_found_by_what_a_body_is_and_not_by_its_label() {
        const DOCUMENT: &str = r#"{"choices":[{"finish_reason":"stop","message":{"content":"»¿ï"}}],"usage":{"prompt_tokens":1,"completion_tokens":7}}"#;
        let event = format!("data: {DOCUMENT}\n\ndata: [DONE]\n\n");
        for text in [DOCUMENT, &event] {
            for before in ["", "\u{feff}", "\u{feff}\r\n", "\n \n"] {
                let body = [before, text].concat();
                for cut in [1, 2, 5, body.len()] {
                    for is_labelled in [true, false] {
                        let found = read(body.as_bytes(), cut, is_labelled);
                        assert_eq!(found, (Some(7), Ending::Whole), "{body:?} cut {cut}, labelled: {is_labelled}");
                    }
                }
            }
        }
        let unknown = format!("x-field: 1\n{event}");
        assert_eq!(read(unknown.as_bytes(), 3, true), (Some(7), Ending::Whole));
        assert_eq!(read(unknown.as_bytes(), 3, false), (None, Ending::Whole));
        assert_eq!(read(b"\x89PNG", 4, false), (None, Ending::Whole));
    }
}
