//! Reads the figures of an answer as its bytes pass, whatever it is labelled as: events or documents of JSON, which show
//! themselves by how they begin. Anything else has no figures. Changes nothing.

use bytes::Bytes;
use keyway_providers::{Ending, Figures, JsonBody};
use memchr::memmem;

use super::sse::{Block, Sse};

/// What a stream of events can begin with.
const EVENT_BEGINNINGS: [&[u8]; 6] = [b"data:", b"event:", b"id:", b"retry:", b":", b"\xef\xbb\xbf"];

/// The figures of one answer, and how they are found.
pub(super) struct Reading {
    pub(super) figures: Figures,
    form: Form,
    /// Whether any event has come that has data.
    has_events: bool,
    has_failed: bool,
}

enum Form {
    /// Nothing but blanks has come.
    Unknown,
    Events(Box<Sse>),
    Json(Box<JsonBody>),
    Opaque,
}

/// What a block of a stream of events is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Part of what was asked for.
    Answer,
    /// Figures and nothing else.
    Figures,
    /// What is left of the block before.
    Rest,
}

/// What a body is, by how it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing but blanks.
    Unknown,
    Events,
    Json,
    Opaque,
}

impl Reading {
    /// A reading of an answer of which nothing has come. `is_stream`: it is labelled as events.
    pub(super) fn new(figures: Figures, is_stream: bool) -> Self {
        let form = if is_stream { Form::Events(Box::default()) } else { Form::Unknown };
        Self { figures, form, has_events: false, has_failed: false }
    }

    /// Reads a chunk. Shows for each block of a stream of events where it ends in the chunk, and what it is.
    pub(super) fn read(&mut self, chunk: &Bytes, mut see: impl FnMut(usize, Part)) {
        if matches!(self.form, Form::Unknown) {
            self.form = match Look::of(chunk) {
                Look::Unknown => Form::Unknown,
                Look::Events => Form::Events(Box::default()),
                Look::Json => Form::Json(Box::default()),
                Look::Opaque => Form::Opaque,
            };
        }
        let Self { figures, form, has_events, has_failed } = self;
        match form {
            Form::Events(sse) => sse.push(chunk, |block| {
                let is_only_figures = event(figures, &block, (has_events, has_failed));
                let part = match (block.is_rest, is_only_figures) {
                    (true, _) => Part::Rest,
                    (false, true) => Part::Figures,
                    (false, false) => Part::Answer,
                };
                see(block.end, part);
            }),
            Form::Json(body) => body.push(figures, chunk),
            Form::Unknown | Form::Opaque => {}
        }
    }

    /// Reads what is left when the last chunk has come. Shows as [`Self::read`] whether the event that the stream ended
    /// within has nothing but figures.
    pub(super) fn finish(&mut self) -> bool {
        let Self { figures, form, has_events, has_failed } = self;
        let mut is_only_figures = false;
        match form {
            Form::Events(sse) => sse.finish(|block| is_only_figures = event(figures, &block, (has_events, has_failed))),
            Form::Json(body) => body.finish(figures),
            Form::Unknown | Form::Opaque => {}
        }
        is_only_figures
    }

    /// Whether it is a stream of events.
    pub(super) const fn is_stream(&self) -> bool {
        matches!(self.form, Form::Events(_))
    }

    /// How many bytes of the chunk that was read last are lines that have ended; `None`: it is not a stream of events.
    pub(super) fn ended_lines(&self) -> Option<usize> {
        let Form::Events(sse) = &self.form else { return None };
        Some(sse.line_end().unwrap_or(0))
    }

    /// Newlines that end what has passed of an event.
    pub(super) fn closing(&self) -> &'static str {
        if let Form::Events(sse) = &self.form { sse.closing() } else { "" }
    }

    /// How the answer ended, as far as its shape says.
    pub(super) fn ending(&self) -> Ending {
        match &self.form {
            _ if self.has_failed => Ending::Failed,
            Form::Events(_) if !self.has_events => Ending::Whole,
            Form::Events(_) | Form::Json(_) => self.figures.ending(),
            Form::Unknown | Form::Opaque => Ending::Whole,
        }
    }
}

impl Look {
    /// What a body that begins so is.
    pub(super) fn of(beginning: &[u8]) -> Self {
        let text = beginning.trim_ascii_start();
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

/// Reads one block; true when it has nothing but figures.
fn event(figures: &mut Figures, block: &Block<'_>, (has_events, has_failed): (&mut bool, &mut bool)) -> bool {
    *has_failed |= block.is_error;
    let Some(data) = block.data else { return false };
    *has_events = true;
    let has_figures = figures.event(data.text().trim_ascii());
    has_figures && data.is_whole() && has_no_choices(data.text())
}

/// Whether the data has an empty list of choices. Inside a text every quote is escaped, so the bytes
/// `"choices"` are always a name.
fn has_no_choices(data: &[u8]) -> bool {
    let Some(at) = memmem::find(data, b"\"choices\"") else { return false };
    let value = data[at + 9..].trim_ascii_start().strip_prefix(b":").unwrap_or_default();
    let Some(list) = value.trim_ascii_start().strip_prefix(b"[") else { return false };
    list.trim_ascii_start().starts_with(b"]")
}
