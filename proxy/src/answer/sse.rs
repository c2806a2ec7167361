//! Splits a stream of bytes into server-sent events (WHATWG HTML, section 9.2), across chunks: with any line end,
//! comments, and data over several lines. Changes nothing, and keeps only the data of the incomplete event, and of that
//! only the fields with figures.

use keyway_providers::Document;
use memchr::{memchr, memchr2};

/// Bytes kept of a field name; longer names do not matter.
const MAX_NAME_BYTES: usize = 8;
const MAX_EVENT_NAME_BYTES: usize = 16;

/// State between two chunks.
#[derive(Default)]
pub(super) struct Sse {
    line: Line,
    /// `true` if the last line ended with CR, so that an LF now is a part of its end.
    after_cr: bool,
    /// `true` if that line end was the end of a block.
    after_block: bool,
    data: Document,
    has_data: bool,
    /// `true` if the event's name is that of an error.
    is_error: bool,
    /// Offset behind the last line end of the last chunk.
    line_end: Option<usize>,
}

/// Incomplete line.
enum Line {
    /// Field name, before the colon.
    Name(Short<MAX_NAME_BYTES>),
    /// Data; `is_first` until a part of it has come.
    Data { is_first: bool },
    /// Event name.
    Event(Short<MAX_EVENT_NAME_BYTES>),
    /// Another field, or a comment.
    Other,
}

/// Beginning of a name, stored in place, as every line has one.
struct Short<const N: usize> {
    bytes: [u8; N],
    /// Length of the whole name, of which no more than `N` bytes are kept.
    length: usize,
}

/// A complete event, lines without data, or the second half of a line end.
pub(super) struct Block<'a> {
    /// Data; `None`: there was none, as in a comment.
    pub(super) data: Option<&'a Document>,
    /// `true` if the event's name is that of an error.
    pub(super) is_error: bool,
    /// `true` for the rest of the block before: an LF behind its CR.
    pub(super) is_rest: bool,
    /// Offset in the chunk behind the last byte.
    pub(super) end: usize,
}

impl Default for Line {
    fn default() -> Self {
        Self::Name(Short::default())
    }
}

impl<const N: usize> Default for Short<N> {
    fn default() -> Self {
        Self { bytes: [0; N], length: 0 }
    }
}

impl<const N: usize> Short<N> {
    fn push(&mut self, piece: &[u8]) {
        let kept = self.length.min(N);
        let more = piece.len().min(N - kept);
        self.bytes[kept..kept + more].copy_from_slice(&piece[..more]);
        self.length += piece.len();
    }

    /// Returns `true` if `name` is the whole name.
    fn is(&self, name: &[u8]) -> bool {
        self.whole() == Some(name)
    }

    /// Returns the name; `None` if it is longer than `N` bytes.
    fn whole(&self) -> Option<&[u8]> {
        self.bytes.get(..self.length)
    }
}

impl Sse {
    /// Reads a chunk. Calls `see` with every block that ends in it.
    pub(super) fn push(&mut self, chunk: &[u8], mut see: impl FnMut(Block<'_>)) {
        self.line_end = None;
        let mut at = 0;
        while at < chunk.len() {
            let was_block_end = std::mem::take(&mut self.after_block);
            if std::mem::take(&mut self.after_cr) && chunk[at] == b'\n' {
                at += 1;
                self.line_end = Some(at);
                if was_block_end {
                    see(Block { data: None, is_error: false, is_rest: true, end: at });
                }
                continue;
            }
            let Some(length) = memchr2(b'\n', b'\r', &chunk[at..]) else {
                self.read(&chunk[at..]);
                return;
            };
            let end = at + length;
            self.read(&chunk[at..end]);
            self.after_cr = chunk[end] == b'\r';
            at = end + 1;
            self.line_end = Some(at);
            if self.end_line() {
                self.after_block = self.after_cr;
                self.dispatch(at, &mut see);
            }
        }
    }

    /// Calls `see` with the last event, if the stream ended within it.
    pub(super) fn finish(&mut self, mut see: impl FnMut(Block<'_>)) {
        self.end_line();
        if self.has_data {
            self.dispatch(0, &mut see);
        }
    }

    /// Returns the offset behind the last line end of the last chunk; `None`: it has none.
    pub(super) const fn line_end(&self) -> Option<usize> {
        self.line_end
    }

    /// Returns the newlines that complete the event whose lines have ended; none if it has no data yet.
    pub(super) const fn closing(&self) -> &'static str {
        match (self.has_data, self.after_cr) {
            (false, _) => "",
            (true, false) => "\n",
            (true, true) => "\n\n",
        }
    }

    /// Reads a part of a line.
    fn read(&mut self, mut piece: &[u8]) {
        if let Line::Name(name) = &mut self.line {
            let colon = memchr(b':', piece);
            name.push(&piece[..colon.unwrap_or(piece.len())]);
            let Some(colon) = colon else { return };
            piece = &piece[colon + 1..];
            self.line = if name.is(b"data") {
                Line::Data { is_first: true }
            } else if name.is(b"event") {
                Line::Event(Short::default())
            } else {
                Line::Other
            };
            if self.has_data && matches!(self.line, Line::Data { .. }) {
                self.data.push(b"\n");
            }
        }
        match &mut self.line {
            Line::Data { is_first } if !piece.is_empty() => {
                let is_first = std::mem::replace(is_first, false);
                self.data.push(if is_first { piece.strip_prefix(b" ").unwrap_or(piece) } else { piece });
            }
            Line::Event(name) => name.push(piece),
            _ => {}
        }
    }

    /// Ends the line; returns `true` for a blank one.
    fn end_line(&mut self) -> bool {
        match std::mem::take(&mut self.line) {
            Line::Name(name) if name.is(b"") => return true,
            // A name without a colon is a field without a value.
            Line::Name(name) if name.is(b"data") => {
                if self.has_data {
                    self.data.push(b"\n");
                }
                self.has_data = true;
            }
            Line::Data { .. } => self.has_data = true,
            Line::Event(name) => self.is_error = name.whole().map(<[u8]>::trim_ascii) == Some(b"error"),
            Line::Name(_) | Line::Other => {}
        }
        false
    }

    fn dispatch(&mut self, end: usize, see: &mut impl FnMut(Block<'_>)) {
        see(Block { data: self.has_data.then_some(&self.data), is_error: self.is_error, is_rest: false, end });
        self.data.clear();
        (self.has_data, self.is_error) = (false, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(text: &str, cut: usize) -> Vec<String> {
        let (mut sse, mut seen) = (Sse::default(), Vec::new());
        let mut see = |block: Block<'_>| {
            if block.is_rest {
                return;
            }
            let data = block.data.map_or("-".into(), |data| String::from_utf8_lossy(data.text()));
            seen.push(format!("{}{data}", if block.is_error { "!" } else { "" }));
        };
        for chunk in text.as_bytes().chunks(cut) {
            sse.push(chunk, &mut see);
        }
        sse.finish(&mut see);
        seen
    }

    #[test]
    fn events_are_split_in_every_legal_framing_however_they_are_cut() {
        for (text, expected) in [
            ("data: a\n\ndata: b\n\n", &["a", "b"][..]),
            ("data: a\r\n\r\ndata: b\r\n\r\n", &["a", "b"]),
            ("data: a\r\rdata: b\r\r", &["a", "b"]),
            ("data:a\n\n", &["a"]),
            ("data:  a\n\n", &[" a"]),
            ("data: a\ndata: b\ndata\ndata:c\n\n", &["a\nb\n\nc"]),
            (": note\n\nid: 1\nevent: message\nretry: 5\ndata: a\n\n", &["-", "a"]),
            ("event: error\ndata: a\n\ndata: b\n\n", &["!a", "b"]),
            ("event:error\r\n\r\n", &["!-"]),
            ("database: a\ndat: b\ndata\n\n", &[""]),
            ("data: a\n\ndata: b", &["a", "b"]),
            ("data: a\n\nevent: x", &["a"]),
            ("\n\n", &["-", "-"]),
            ("", &[]),
        ] {
            for cut in [1, 2, 3, 1000] {
                assert_eq!(blocks(text, cut), expected, "{text:?} cut {cut}");
            }
        }
    }

    #[test]
    fn it_knows_what_of_a_chunk_has_ended_and_what_an_event_still_needs() {
        for (text, line_end, closing) in [
            ("data: a\n\nda", Some(9), ""),
            ("data: a\n", Some(8), "\n"),
            ("data: a\r", Some(8), "\n\n"),
            ("data: a\r\n", Some(9), "\n"),
            ("event: x\n", Some(9), ""),
            ("id: 5\nda", Some(6), ""),
            ("data: a", None, ""),
        ] {
            let mut sse = Sse::default();
            sse.push(text.as_bytes(), |_| ());
            assert_eq!((sse.line_end(), sse.closing()), (line_end, closing), "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn it_never_panics_and_cutting_changes_nothing(text in "(data|event|id|:| |\n|\r|\r\n|x|error){0,30}", cut in 1usize..9) {
            proptest::prop_assert_eq!(blocks(&text, cut), blocks(&text, usize::MAX));
        }
    }
}
