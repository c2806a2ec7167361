//! Passes a metered answer on as it comes. Of a stream of events a line passes when it is whole, so that a stream that
//! breaks never leaves half a line behind; and what only our own `include_usage` brought in is taken out again.

use bytes::Bytes;
use keyway_providers::{Ending, Figures};
use memchr::memmem;

use super::reading::{Part, Reading};

/// More of a line, or of an event that may be taken out, is not held back: no provider's figures are that long.
const MAX_HELD_BYTES: usize = 64 << 10;

/// An answer on its way.
pub(crate) struct Passage {
    pub(crate) reading: Reading,
    /// Whether to take out what `include_usage` brought in.
    hides: bool,
    /// What has come and not passed.
    held: Vec<u8>,
    /// Whether the last block was taken out.
    hid: bool,
    /// Whether the line or event that is under way was too long to be held back.
    is_overlong: bool,
    /// Newlines that an event needs behind what had passed when the answer ended.
    closing: Option<&'static str>,
}

impl Passage {
    /// An answer of which nothing has come. `is_stream`: it is labelled as events.
    pub(crate) fn new(figures: Figures, is_stream: bool, hides: bool) -> Self {
        Self {
            reading: Reading::new(figures, is_stream),
            hides,
            held: Vec::new(),
            hid: false,
            is_overlong: false,
            closing: None,
        }
    }

    /// Whether what comes out can have another length than what goes in.
    pub(crate) const fn rewrites(&self) -> bool {
        self.hides
    }

    /// Takes a chunk and returns what the caller gets of it now.
    pub(crate) fn pass(&mut self, chunk: Bytes) -> Bytes {
        if self.hides {
            return self.rewrite(&chunk);
        }
        self.reading.read(&chunk, |_, _| ());
        match self.reading.ended_lines() {
            None => chunk,
            Some(end) => self.hold_back(&chunk, end),
        }
    }

    /// Returns what was held back when the answer has come to its end, unless it is cut: then half a line is no part of
    /// it.
    pub(crate) fn finish(&mut self) -> Bytes {
        // Of an event that may be taken out nothing has passed.
        let can_close = self.reading.is_stream() && !self.is_overlong;
        self.closing = can_close.then(|| if self.hides { "" } else { self.reading.closing() });
        let is_hidden = self.reading.finish() && self.hides;
        let held = std::mem::take(&mut self.held);
        if is_hidden || self.ending() == Ending::Cut { Bytes::new() } else { held.into() }
    }

    /// How the answer ended.
    pub(crate) fn ending(&self) -> Ending {
        self.reading.ending()
    }

    /// Newlines that an event needs behind what has passed, of an answer that has ended; `None`: half a line has passed,
    /// or it is no stream of events.
    pub(crate) const fn closing(&self) -> Option<&'static str> {
        self.closing
    }

    /// Lets everything up to `end` pass, and holds back the line that has not ended.
    fn hold_back(&mut self, chunk: &Bytes, end: usize) -> Bytes {
        if end > 0 {
            self.is_overlong = false;
        } else if self.is_overlong {
            return chunk.clone();
        }
        let mut passed = chunk.slice(..end);
        if !self.held.is_empty() && end > 0 {
            let mut held = std::mem::take(&mut self.held);
            held.extend_from_slice(&passed);
            passed = held.into();
        }
        self.held.extend_from_slice(&chunk[end..]);
        if self.held.len() <= MAX_HELD_BYTES {
            return passed;
        }
        self.is_overlong = true;
        [&passed[..], &std::mem::take(&mut self.held)].concat().into()
    }

    fn rewrite(&mut self, chunk: &Bytes) -> Bytes {
        let Self { reading, held, hid, is_overlong, .. } = self;
        let (mut out, mut start) = (Vec::with_capacity(held.len() + chunk.len()), 0);
        reading.read(chunk, |end, part| {
            held.extend_from_slice(&chunk[start..end]);
            start = end;
            if part != Part::Rest {
                *hid = part == Part::Figures && !*is_overlong;
            }
            if std::mem::take(is_overlong) {
                out.append(held);
            } else if !*hid {
                edit(held, &mut out);
            }
            held.clear();
        });
        held.extend_from_slice(&chunk[start..]);
        if *is_overlong || held.len() > MAX_HELD_BYTES || !reading.is_stream() {
            *is_overlong = reading.is_stream() && !held.is_empty();
            out.append(held);
        }
        out.into()
    }
}

/// Takes `"usage":null` out of an event: it is what the other events get where figures are asked for.
fn edit(event: &[u8], out: &mut Vec<u8>) {
    match null_usage(event) {
        Some((from, to)) => {
            out.extend_from_slice(&event[..from]);
            out.extend_from_slice(&event[to..]);
        }
        None => out.extend_from_slice(event),
    }
}

/// Where `,"usage":null` stands in an event.
fn null_usage(event: &[u8]) -> Option<(usize, usize)> {
    let name = memmem::rfind(event, b"\"usage\"")?;
    let value = event[name + 7..].trim_ascii_start().strip_prefix(b":").unwrap_or_default().trim_ascii_start();
    let behind = value.strip_prefix(b"null")?;
    let before = event[..name].trim_ascii_end();
    let end = event.len() - behind.len();
    if let Some(before) = before.strip_suffix(b",") {
        return Some((before.trim_ascii_end().len(), end));
    }
    // The first field of its object: the comma behind it goes instead.
    let comma = behind.trim_ascii_start().strip_prefix(b",")?;
    before.ends_with(b"{").then_some((name, event.len() - comma.len()))
}

#[cfg(test)]
#[path = "passage_tests.rs"]
mod tests;
