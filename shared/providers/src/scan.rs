//! Finds the fields of a JSON object without reading their values: several times as fast as a parser that must look at
//! every character.
//!
//! It checks only as much as it needs to find the end of each value; the parser of the values checks the rest.

use std::{borrow::Cow, ops::Range};

/// Deepest accepted nesting, so that a scan costs no more than its input's length.
const MAX_DEPTH: usize = 128;
/// Length in bytes below which parsing a whole document is faster than finding its fields.
const SHORT_BYTES: usize = 2048;

/// Error for a text that is no JSON object, as far as was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// The opening brace of an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opening {
    /// Index behind the brace.
    pub start: usize,
    /// `true` if the object has no fields.
    pub is_empty: bool,
}

/// Calls `see` for each field of the object in `bytes`, with its name and the range of its value.
///
/// # Errors
/// [`Malformed`], from here or from `see`.
pub fn fields(
    bytes: &[u8],
    mut see: impl FnMut(&[u8], Range<usize>) -> Result<(), Malformed>,
) -> Result<Opening, Malformed> {
    let mut scan = Scan { bytes, at: 0 };
    let opening = scan.object(&mut see)?;
    scan.blank();
    if scan.at == bytes.len() { Ok(opening) } else { Err(Malformed) }
}

/// Returns the object in `bytes` reduced to the fields with one of these names, repetitions included. A short text, or
/// one that is no object, is returned unchanged.
#[must_use]
pub fn only<'b>(bytes: &'b [u8], names: &[&str]) -> Cow<'b, [u8]> {
    if bytes.len() < SHORT_BYTES { bytes.into() } else { picked(bytes, names) }
}

fn picked<'b>(bytes: &'b [u8], names: &[&str]) -> Cow<'b, [u8]> {
    let mut kept = Vec::with_capacity(bytes.len().min(512));
    kept.push(b'{');
    let found = fields(bytes, |name, value| {
        if names.iter().any(|wanted| wanted.as_bytes() == name) {
            let comma: &[u8] = if kept.len() > 1 { b"," } else { b"" };
            for piece in [comma, b"\"", name, b"\":", &bytes[value]] {
                kept.extend_from_slice(piece);
            }
        }
        Ok(())
    });
    if found.is_err() {
        return bytes.into();
    }
    kept.push(b'}');
    kept.into()
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn object(
        &mut self,
        see: &mut impl FnMut(&[u8], Range<usize>) -> Result<(), Malformed>,
    ) -> Result<Opening, Malformed> {
        self.expect(b'{')?;
        let mut opening = Opening { start: self.at, is_empty: false };
        self.blank();
        if self.peek() == Some(b'}') {
            self.at += 1;
            opening.is_empty = true;
            return Ok(opening);
        }
        loop {
            self.blank();
            let name = self.text()?;
            self.expect(b':')?;
            self.blank();
            let start = self.at;
            self.value()?;
            see(&unescaped(&self.bytes[name])?, start..self.at)?;
            self.blank();
            match self.next()? {
                b',' => {}
                b'}' => return Ok(opening),
                _ => return Err(Malformed),
            }
        }
    }

    /// Skips any value. The provider checks that brackets match.
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

    /// Skips a string; returns the range between its quotes.
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

/// Resolves escapes in a name: an escaped name is another spelling of the same field, and every parser reads it so.
fn unescaped(name: &[u8]) -> Result<Cow<'_, [u8]>, Malformed> {
    if !name.contains(&b'\\') {
        return Ok(name.into());
    }
    let text: String = serde_json::from_slice(&[b"\"", name, b"\""].concat()).map_err(|_| Malformed)?;
    Ok(text.into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_wanted_fields_are_left_however_they_are_spelt() {
        for (object, expected) in [
            (r#" {"a":1, "b" : {"a":[2,"}"]} ,"c":"\"b\":3"} "#, r#"{"b":{"a":[2,"}"]}}"#),
            (r#"{"\u0062":1,"b":2}"#, r#"{"b":1,"b":2}"#),
            ("{}", "{}"),
            (r#"{"b":1"#, r#"{"b":1"#),
            ("[1]", "[1]"),
            (r#"{"b":1}x"#, r#"{"b":1}x"#),
        ] {
            assert_eq!(only(object.as_bytes(), &["b"]), object.as_bytes(), "short");
            assert_eq!(String::from_utf8_lossy(&picked(object.as_bytes(), &["b"])), expected, "{object}");
        }
    }
}
