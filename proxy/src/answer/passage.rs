//! Passes a metered answer on as it comes. A line of an event stream passes once it is complete, so that a broken
//! stream never leaves half a line behind; and the parts that only our own `include_usage` added are removed.

use bytes::Bytes;
use keyway_providers::{Ending, Figures};
use memchr::memmem;

use super::reading::{Part, Reading};

/// Largest line, or removable event, that is held back, in bytes: no provider's figures are that long.
const MAX_HELD_BYTES: usize = 64 << 10;

/// An answer on its way to the caller.
pub(crate) struct Passage {
    pub(crate) reading: Reading,
    /// `true` to remove what `include_usage` added.
    hides: bool,
    /// Bytes that have arrived and not passed.
    held: Vec<u8>,
    /// `true` if the last block was removed.
    hid: bool,
    /// `true` if the current line or event was too long to be held back.
    is_overlong: bool,
    /// Newlines that complete the last event that passed, once the answer has ended.
    closing: Option<&'static str>,
}

impl Passage {
    /// Builds a passage before the first byte. `is_stream`: its content type is that of events.
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

    /// Returns `true` if the length may change.
    pub(crate) const fn rewrites(&self) -> bool {
        self.hides
    }

    /// Takes a chunk and returns the caller's part of it.
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

    /// Returns the bytes held back at the end of the answer, unless it was cut: half a line is dropped then.
    pub(crate) fn finish(&mut self) -> Bytes {
        // Of an event that may be taken out nothing has passed.
        let can_close = self.reading.is_stream() && !self.is_overlong;
        self.closing = can_close.then(|| if self.hides { "" } else { self.reading.closing() });
        let is_hidden = self.reading.finish() && self.hides;
        let held = std::mem::take(&mut self.held);
        if is_hidden || self.ending() == Ending::Cut { Bytes::new() } else { held.into() }
    }

    /// Returns how the answer ended.
    pub(crate) fn ending(&self) -> Ending {
        self.reading.ending()
    }

    /// Returns the newlines that complete the last event that passed, of an answer that has ended; `None`: half a line
    /// has passed, or it is no event stream.
    pub(crate) const fn closing(&self) -> Option<&'static str> {
        self.closing
    }

    /// Lets everything up to `end` pass, and holds back the incomplete line.
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

/// Removes `"usage":null` from an event, which providers add to all other events with `include_usage`.
fn edit(event: &[u8], out: &mut Vec<u8>) {
    match null_usage(event) {
        Some((from, to)) => {
            out.extend_from_slice(&event[..from]);
            out.extend_from_slice(&event[to..]);
        }
        None => out.extend_from_slice(event),
    }
}

/// Returns the range of `,"usage":null` in an event.
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
