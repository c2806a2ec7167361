//! Picks a few fields out of JSON of any length while it arrives, and keeps nothing else of it.
//!
//! It checks only as much as it needs to find the end of each value; the parser of the picked fields checks the rest.
//! Several documents in a row, or the elements of one list, are picked one after the other.

use std::mem;

/// Largest size of picked fields in bytes; a document with more has no figures.
const MAX_PICKED_BYTES: usize = 64 << 10;
/// Longest field name that is compared, in bytes.
const MAX_NAME_BYTES: usize = 64;
/// Deepest list or object that is searched, so that picking costs no more than its input's length.
const MAX_DEPTH: usize = 16;

/// Part of a document to keep. Lists are searched: a pick applies to each element.
pub(super) enum Pick {
    /// The value unchanged.
    Whole,
    /// `true` in place of any value but null.
    Presence,
    /// These fields of an object.
    Fields(&'static [(&'static str, Pick)]),
}

/// The state between two pieces of a text.
pub(super) struct Picker {
    root: &'static [(&'static str, Pick)],
    out: Vec<u8>,
    /// Open lists and objects that are searched, outermost first.
    open: Vec<Open>,
    state: State,
    /// Number of lists around the documents themselves.
    outer_lists: usize,
    is_broken: bool,
}

#[derive(Clone, Copy)]
enum Open {
    Object { fields: &'static [(&'static str, Pick)], is_empty: bool },
    List { of: &'static Pick, is_empty: bool },
}

enum State {
    /// Before a value of the innermost open list or object, or before a document.
    Value(Option<&'static Pick>),
    /// Before a name, or the end of the object.
    Name,
    InName {
        name: Vec<u8>,
        is_escaped: bool,
    },
    /// Between a name and its value.
    Colon(Option<&'static Pick>),
    /// Behind a value: before a comma or the end.
    Behind,
    /// In a string, number or word.
    InText {
        is_kept: bool,
        is_escaped: bool,
    },
    InWord {
        is_kept: bool,
    },
    /// In a list or object that is skipped or kept as a whole.
    Inside {
        is_kept: bool,
        depth: usize,
        text: Option<bool>,
    },
}

impl Picker {
    /// Builds a picker of these fields, before the first byte.
    pub(super) fn new(root: &'static [(&'static str, Pick)]) -> Self {
        let state = State::Value(None);
        Self { root, out: Vec::new(), open: Vec::new(), state, outer_lists: 0, is_broken: false }
    }

    /// Reads the next bytes. Calls `see` with the picked JSON of each document that ends in them.
    pub(super) fn push(&mut self, mut bytes: &[u8], mut see: impl FnMut(&[u8])) {
        while let (Some(first), false) = (bytes.first(), self.is_broken) {
            let read = match &mut self.state {
                State::InText { .. } | State::InWord { .. } | State::Inside { .. } => self.pass(bytes),
                State::InName { .. } => self.name(bytes),
                _ if matches!(first, b' ' | b'\t' | b'\r' | b'\n') => 1,
                _ => self.step(*first),
            };
            bytes = &bytes[read..];
            if self.open.is_empty() && !self.is_broken && matches!(self.state, State::Behind) {
                self.state = State::Value(None);
                see(&mem::take(&mut self.out));
            }
        }
    }

    /// Returns `true` while a document has begun and not ended.
    pub(super) const fn is_within(&self) -> bool {
        !self.open.is_empty()
    }

    /// Returns `true` if the input is no JSON, or too much was picked: `see` is not called again.
    pub(super) const fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Reads one byte that is no blank, outside of strings; returns how many were read.
    fn step(&mut self, byte: u8) -> usize {
        match (&self.state, byte) {
            (State::Value(_), b']') if self.is_in_list() => self.close(byte),
            (State::Value(pick), _) => return self.value(*pick, byte),
            (State::Name, b'"') => self.state = State::InName { name: Vec::new(), is_escaped: false },
            (State::Name, b'}') => self.close(byte),
            (State::Name, b',') => {}
            (State::Colon(pick), b':') => self.state = State::Value(*pick),
            (State::Behind, b',') => self.next(),
            (State::Behind, b'}' | b']') => self.close(byte),
            _ => self.is_broken = true,
        }
        1
    }

    /// Begins a value; returns how many bytes were read.
    fn value(&mut self, pick: Option<&'static Pick>, byte: u8) -> usize {
        if self.open.is_empty() {
            return self.document(byte);
        }
        let is_kept = matches!(pick, Some(Pick::Whole));
        match (pick, byte) {
            (Some(Pick::Fields(fields)), b'{') if self.open.len() < MAX_DEPTH => {
                self.keep(b"{");
                self.open.push(Open::Object { fields, is_empty: true });
                self.state = State::Name;
                return 1;
            }
            (Some(of @ Pick::Fields(_)), b'[') if self.open.len() < MAX_DEPTH => {
                self.keep(b"[");
                self.open.push(Open::List { of, is_empty: true });
                self.next();
                return 1;
            }
            // Picked apart it would have been an object or a list.
            (Some(Pick::Fields(_)), _) | (Some(Pick::Presence), b'n') => self.keep(b"null"),
            (Some(Pick::Presence), _) => self.keep(b"true"),
            _ => {}
        }
        match byte {
            b'"' => self.state = State::InText { is_kept, is_escaped: false },
            b'{' | b'[' => self.state = State::Inside { is_kept, depth: 1, text: None },
            _ if byte.is_ascii_alphanumeric() || byte == b'-' => {
                self.state = State::InWord { is_kept };
                return 0;
            }
            _ => self.is_broken = true,
        }
        if is_kept {
            self.keep(&[byte]);
        }
        1
    }

    /// Begins a document, or a list of them; returns how many bytes were read.
    fn document(&mut self, byte: u8) -> usize {
        match byte {
            b'{' => {
                self.keep(b"{");
                self.open.push(Open::Object { fields: self.root, is_empty: true });
                self.state = State::Name;
            }
            b'[' => self.outer_lists += 1,
            b']' if self.outer_lists > 0 => self.outer_lists -= 1,
            b',' => {}
            _ => self.is_broken = true,
        }
        1
    }

    /// Reads a name; returns how many bytes were read.
    fn name(&mut self, bytes: &[u8]) -> usize {
        let State::InName { name, is_escaped } = &mut self.state else { return 0 };
        let end = end_of_text(bytes, is_escaped);
        let read = end.unwrap_or(bytes.len());
        if name.len() <= MAX_NAME_BYTES {
            name.extend_from_slice(&bytes[..read.min(MAX_NAME_BYTES + 1)]);
        }
        if end.is_none() {
            return read;
        }
        let name = unescaped(mem::take(name));
        let Some(Open::Object { fields, is_empty }) = self.open.last_mut() else {
            self.is_broken = true;
            return read;
        };
        let found = fields.iter().find(|(wanted, _)| wanted.as_bytes() == name);
        if let Some((wanted, _)) = found {
            let comma: &[u8] = if mem::replace(is_empty, false) { b"" } else { b"," };
            for piece in [comma, b"\"", wanted.as_bytes(), b"\":"] {
                self.keep(piece);
            }
        }
        self.state = State::Colon(found.map(|(_, pick)| pick));
        read + 1
    }

    /// Skips a string, a word, or a whole value; returns how many bytes were read.
    fn pass(&mut self, bytes: &[u8]) -> usize {
        let (read, is_kept, is_over) = match &mut self.state {
            State::InText { is_kept, is_escaped } => match end_of_text(bytes, is_escaped) {
                Some(end) => (end + 1, *is_kept, true),
                None => (bytes.len(), *is_kept, false),
            },
            State::InWord { is_kept } => {
                let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
                let end = bytes.iter().position(|byte| !is_part(byte));
                (end.unwrap_or(bytes.len()), *is_kept, end.is_some())
            }
            State::Inside { is_kept, depth, text } => {
                let end = end_of_container(bytes, depth, text);
                (end.unwrap_or(bytes.len()), *is_kept, end.is_some())
            }
            _ => return 0,
        };
        if is_kept {
            self.keep(&bytes[..read]);
        }
        if is_over {
            self.state = State::Behind;
        }
        read
    }

    fn next(&mut self) {
        self.state = match self.open.last_mut() {
            Some(Open::Object { .. }) => State::Name,
            Some(Open::List { of, is_empty }) => {
                let (of, is_first) = (*of, mem::replace(is_empty, false));
                if !is_first {
                    self.keep(b",");
                }
                State::Value(Some(of))
            }
            None => State::Value(None),
        };
    }

    fn close(&mut self, byte: u8) {
        let fits = match self.open.pop() {
            Some(Open::Object { .. }) => byte == b'}',
            Some(Open::List { .. }) => byte == b']',
            None => false,
        };
        self.is_broken |= !fits;
        self.keep(&[byte]);
        self.state = State::Behind;
    }

    fn is_in_list(&self) -> bool {
        matches!(self.open.last(), Some(Open::List { .. }))
    }

    fn keep(&mut self, piece: &[u8]) {
        self.is_broken |= self.out.len() + piece.len() > MAX_PICKED_BYTES;
        if !self.is_broken {
            self.out.extend_from_slice(piece);
        }
    }
}

/// Returns the index of the quote that ends a string. If there is none, sets `is_escaped` for the byte behind `bytes`.
fn end_of_text(bytes: &[u8], is_escaped: &mut bool) -> Option<usize> {
    let mut at = usize::from(mem::take(is_escaped));
    loop {
        let stop = at + memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[stop] == b'"' {
            return Some(stop);
        }
        at = stop + 2;
        *is_escaped = at > bytes.len();
    }
}

/// Returns the index behind the bracket that closes `depth` lists and objects. `text` is set inside a string, to `true`
/// if its next byte is escaped.
fn end_of_container(bytes: &[u8], depth: &mut usize, text: &mut Option<bool>) -> Option<usize> {
    let mut at = 0;
    while at < bytes.len() {
        if let Some(is_escaped) = text {
            at += end_of_text(&bytes[at..], is_escaped)? + 1;
            *text = None;
            continue;
        }
        at += bytes[at..].iter().position(|byte| TELLING[usize::from(*byte)])? + 1;
        match bytes[at - 1] {
            b'"' => *text = Some(false),
            b'{' | b'[' => *depth += 1,
            _ => *depth -= 1,
        }
        if *depth == 0 {
            return Some(at);
        }
    }
    None
}

/// Table of the bytes that matter for finding the end of a value.
static TELLING: [bool; 256] = {
    let mut telling = [false; 256];
    let (bytes, mut at) = (*b"\"{}[]", 0);
    while at < bytes.len() {
        telling[bytes[at] as usize] = true;
        at += 1;
    }
    telling
};

/// Resolves escapes in a name: an escaped name is another spelling of the same.
fn unescaped(name: Vec<u8>) -> Vec<u8> {
    if !name.contains(&b'\\') {
        return name;
    }
    let text: Option<String> = serde_json::from_slice(&[b"\"", &name[..], b"\""].concat()).ok();
    text.map(String::into_bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[(&str, Pick)] = &[
        ("a", Pick::Whole),
        ("b", Pick::Fields(&[("c", Pick::Whole), ("d", Pick::Fields(&[("e", Pick::Whole)]))])),
        ("p", Pick::Presence),
    ];

    fn picked(text: &[u8], cut: usize) -> Vec<String> {
        let (mut picker, mut seen) = (Picker::new(FIELDS), Vec::new());
        for piece in text.chunks(cut) {
            picker.push(piece, |document| seen.push(String::from_utf8_lossy(document).into_owned()));
        }
        seen
    }

    #[test]
    fn what_is_wanted_is_left_however_it_is_cut() {
        for (text, expected) in [
            (r#" {"x":1, "a" : [1,{"y":"}\""}] ,"z":{"a":2}} "#, &[r#"{"a":[1,{"y":"}\""}]}"#][..]),
            (
                r#"{"b":{"c":1.5e-3,"x":[[]],"d":[{"e":"\\"},{"f":1},7]}}"#,
                &[r#"{"b":{"c":1.5e-3,"d":[{"e":"\\"},{},null]}}"#],
            ),
            (r#"{"b":[{"c":1},[{"c":2}],null],"a":null}"#, &[r#"{"b":[{"c":1},[{"c":2}],null],"a":null}"#]),
            (r#"{"\u0061":1,"a\\":2}"#, &[r#"{"a":1}"#]),
            (r#"{"b":"text","b":{}}"#, &[r#"{"b":null,"b":{}}"#]),
            (r#"{"p":{"a":1}}{"p":"x"}{"p":null}"#, &[r#"{"p":true}"#, r#"{"p":true}"#, r#"{"p":null}"#]),
            ("{}", &["{}"]),
            (r#"{"a":1}{"a":2}"#, &[r#"{"a":1}"#, r#"{"a":2}"#]),
            ("{\"a\":1}\n\n{\"x\":true}\r\n", &[r#"{"a":1}"#, "{}"]),
            (r#"[{"a":1},{"a":2}]"#, &[r#"{"a":1}"#, r#"{"a":2}"#]),
            (r#"{"a":1"#, &[]),
            (r#"{"a":1]"#, &[]),
            ("<html>", &[]),
            ("7", &[]),
            ("", &[]),
        ] {
            for cut in [1, 2, 3, 7, 1000] {
                assert_eq!(picked(text.as_bytes(), cut), expected, "{text} cut {cut}");
            }
        }
    }

    #[test]
    fn nothing_of_what_is_passed_over_is_kept() {
        let mut picker = Picker::new(FIELDS);
        let mut seen = Vec::new();
        picker.push(b"{\"x\":\"", |_| ());
        for _ in 0..1000 {
            picker.push(&[b'y'; 10_000], |_| ());
        }
        picker.push(b"\",\"z\":[", |_| ());
        for _ in 0..1000 {
            picker.push(b"0.123,[0.5],\"]\",", |_| ());
        }
        assert!(picker.out.capacity() < 1000, "{} bytes are kept", picker.out.capacity());
        picker.push(b"0],\"a\":7}", |document| seen.extend_from_slice(document));
        assert_eq!(seen, br#"{"a":7}"#);
        assert!(picked(format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_PICKED_BYTES)).as_bytes(), 1000).is_empty());
    }

    proptest::proptest! {
        #[test]
        fn it_never_panics_and_finds_what_a_parser_finds(text in "[\\[\\]{}\",:ab0 \\\\u1e.-]{0,60}", cut in 1usize..9) {
            let documents = picked(text.as_bytes(), cut);
            if let Ok(serde_json::Value::Object(whole)) = serde_json::from_str(&text) {
                let found: serde_json::Value = serde_json::from_str(&documents[0]).unwrap();
                proptest::prop_assert_eq!(found.get("a"), whole.get("a"));
            }
        }
    }
}
