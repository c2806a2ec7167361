//! Reads server-sent events as they pass, across the borders of chunks: for their figures, and to
//! take out again what only our own `include_usage` brought in.
//!
//! Where nothing has to be taken out, bytes pass untouched and a line that lies within one chunk is
//! read in place.

use bytes::Bytes;
use keyway_providers::{Metered, Provider};
use memchr::{memchr, memmem};

/// A longer line passes unread: no provider puts its figures into one.
const MAX_LINE_BYTES: usize = 1 << 20;

/// The state between two chunks of one stream.
pub(super) struct Events {
    /// The start of a line that has not ended yet.
    carry: Vec<u8>,
    /// Whether the current line is too long to be read.
    overlong: bool,
    /// Whether to take out what `include_usage` brought in.
    hides: bool,
    /// Whether the line before was taken out, so that the blank one behind it goes too.
    hid: bool,
    /// The figures seen so far.
    pub(super) metered: Metered,
}

impl Events {
    /// A reader at the start of a stream.
    pub(super) fn new(hides: bool) -> Self {
        Self { carry: Vec::new(), overlong: false, hides, hid: false, metered: Metered::default() }
    }

    /// Whether what comes out can differ from what goes in.
    pub(super) const fn rewrites(&self) -> bool {
        self.hides
    }

    /// Takes a chunk and returns what the caller gets of it now.
    pub(super) fn pass(&mut self, ways: &dyn Provider, chunk: Bytes) -> Bytes {
        if self.hides {
            return self.rewrite(ways, &chunk);
        }
        let mut rest = &chunk[..];
        while let Some(end) = memchr(b'\n', rest) {
            let (piece, behind) = rest.split_at(end + 1);
            rest = behind;
            if std::mem::take(&mut self.overlong) {
                continue;
            }
            if self.carry.is_empty() {
                self.read(ways, piece);
            } else {
                self.keep(piece);
                let line = std::mem::take(&mut self.carry);
                self.read(ways, &line);
                self.carry = line;
                self.carry.clear();
            }
        }
        self.keep(rest);
        chunk
    }

    /// What was held back when the stream ended; reads it too.
    pub(super) fn finish(&mut self, ways: &dyn Provider) -> Bytes {
        let line = std::mem::take(&mut self.carry);
        let is_hidden = self.read(ways, &line);
        if self.hides && !is_hidden { line.into() } else { Bytes::new() }
    }

    /// Keeps the start of a line until its end is there.
    fn keep(&mut self, piece: &[u8]) {
        if self.overlong || self.carry.len() + piece.len() > MAX_LINE_BYTES {
            self.overlong = true;
            self.carry = Vec::new();
        } else {
            self.carry.extend_from_slice(piece);
        }
    }

    /// Reads one whole line; true when it is the chunk that only `include_usage` brings.
    fn read(&mut self, ways: &dyn Provider, line: &[u8]) -> bool {
        let Some(data) = line.strip_prefix(b"data:") else { return false };
        ways.meter_event(&mut self.metered, data.trim_ascii()) && has_no_choices(data)
    }

    fn rewrite(&mut self, ways: &dyn Provider, chunk: &[u8]) -> Bytes {
        let mut out = Vec::with_capacity(self.carry.len() + chunk.len());
        let mut rest = chunk;
        while let Some(end) = memchr(b'\n', rest) {
            let (piece, behind) = rest.split_at(end + 1);
            rest = behind;
            if std::mem::take(&mut self.overlong) {
                out.extend_from_slice(piece);
            } else if self.carry.is_empty() {
                self.edit(ways, piece, &mut out);
            } else {
                let mut line = std::mem::take(&mut self.carry);
                line.extend_from_slice(piece);
                self.edit(ways, &line, &mut out);
            }
        }
        if self.overlong || self.carry.len() + rest.len() > MAX_LINE_BYTES {
            out.append(&mut self.carry);
            out.extend_from_slice(rest);
            self.overlong = true;
        } else {
            self.carry.extend_from_slice(rest);
        }
        out.into()
    }

    fn edit(&mut self, ways: &dyn Provider, line: &[u8], out: &mut Vec<u8>) {
        if self.read(ways, line) {
            self.hid = true;
            return;
        }
        let hid = std::mem::take(&mut self.hid);
        if hid && line.trim_ascii().is_empty() {
            return;
        }
        match null_usage(line) {
            Some((from, to)) => {
                out.extend_from_slice(&line[..from]);
                out.extend_from_slice(&line[to..]);
            }
            None => out.extend_from_slice(line),
        }
    }
}

/// Whether the data has an empty list of choices. Inside a text every quote is escaped, so the bytes
/// `"choices"` are always a name.
fn has_no_choices(data: &[u8]) -> bool {
    let Some(at) = memmem::find(data, b"\"choices\"") else { return false };
    let Some(list) = value(&data[at + 9..]).strip_prefix(b"[") else { return false };
    list.trim_ascii_start().starts_with(b"]")
}

/// Where `,"usage":null` stands in a line of data.
fn null_usage(line: &[u8]) -> Option<(usize, usize)> {
    let name = memmem::rfind(line, b"\"usage\"")?;
    let value = value(&line[name + 7..]);
    let behind = value.strip_prefix(b"null")?;
    let before = line[..name].trim_ascii_end();
    let end = line.len() - behind.len();
    if let Some(before) = before.strip_suffix(b",") {
        return Some((before.trim_ascii_end().len(), end));
    }
    // The first field of its object: the comma behind it goes instead.
    let comma = behind.trim_ascii_start().strip_prefix(b",")?;
    before.ends_with(b"{").then_some((name, line.len() - comma.len()))
}

/// What follows a name: the value behind the colon.
fn value(behind_name: &[u8]) -> &[u8] {
    behind_name.trim_ascii_start().strip_prefix(b":").unwrap_or_default().trim_ascii_start()
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
