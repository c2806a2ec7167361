//! Reads `.env` files as found in practice: lines NAME=value, with the quotes, comments and line ends of shells,
//! editors and other readers. A line that cannot be read is skipped and named by its number alone: its content may be a
//! secret, and is never repeated.
//!
//! Nothing is expanded: a `$` stays a `$`, as passwords contain them.

use std::{fs::File, io::Read, path::Path};

use keyway_vault::{SecretBytes, SecretString};

/// Largest accepted file in bytes.
const MAX_BYTES: u64 = 1 << 20;
/// Room for a quoted value, which would leave copies behind if it grew.
const MOST_QUOTED_BYTES: usize = 4096;

/// Content of a file.
#[derive(Debug, Default)]
pub(crate) struct EnvFile {
    /// Names with their values, in the order of the file.
    pub(crate) variables: Vec<(String, SecretString)>,
    /// Lines that could not be read.
    pub(crate) unread: Vec<UnreadLine>,
}

/// A line that was skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadLine {
    /// Line number, from 1.
    pub number: usize,
    /// Name of the line's variable, if that could be read.
    pub name: Option<String>,
}

/// Reads a file.
///
/// # Errors
/// A sentence without the file's content: the file does not exist, is not readable, or is too large.
pub(crate) fn read(file: &Path) -> Result<EnvFile, String> {
    let opened = File::open(file).map_err(|error| error.to_string())?;
    // Room for all of it: a text that grows leaves copies behind that nobody wipes.
    let length = opened.metadata().map_or(0, |it| it.len().min(MAX_BYTES));
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1);
    let read = opened.take(MAX_BYTES + 1).read_to_end(&mut bytes);
    let bytes = SecretBytes::new(bytes);
    read.map_err(|error| error.to_string())?;
    if bytes.plain().len() as u64 > MAX_BYTES {
        return Err(format!("it is larger than {MAX_BYTES} bytes; is it a file of lines NAME=value?"));
    }
    Ok(parse(SecretString::new(text(bytes.plain())).plain()))
}

/// Returns the text of a file: UTF-8, or the UTF-16 that some Windows tools write; either with or without a byte order
/// mark.
fn text(bytes: &[u8]) -> String {
    let units = |bytes: &[u8], read: fn([u8; 2]) -> u16| {
        let units: Vec<_> = bytes.chunks_exact(2).map(|pair| read([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    match bytes {
        [0xFF, 0xFE, rest @ ..] => units(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => units(rest, u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] | rest => String::from_utf8_lossy(rest).into_owned(),
    }
}

fn parse(text: &str) -> EnvFile {
    let mut file = EnvFile::default();
    let mut rest = text;
    let mut number = 1;
    while !rest.is_empty() {
        let line_end = rest.find('\n').map_or(rest.len(), |at| at + 1);
        let consumed = match read_line(rest) {
            Line::Nothing => line_end,
            Line::Variable { name, value, consumed } => {
                file.variables.push((name, value.into()));
                consumed
            }
            Line::Unreadable { name } => {
                file.unread.push(UnreadLine { number, name });
                line_end
            }
        };
        number += rest[..consumed].matches('\n').count();
        rest = &rest[consumed..];
    }
    file
}

/// First line, or entry of several lines, of a text.
enum Line {
    /// An empty line or a comment.
    Nothing,
    /// A variable, and the bytes of the text it takes, line end included.
    Variable { name: String, value: String, consumed: usize },
    /// Neither of these.
    Unreadable { name: Option<String> },
}

fn read_line(text: &str) -> Line {
    let line = text.lines().next().unwrap_or_default();
    let start = line.trim_start();
    if start.trim_end().is_empty() || start.starts_with('#') {
        return Line::Nothing;
    }
    let exported = start.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t']));
    let Some((name, value)) = exported.unwrap_or(start).split_once('=') else {
        return Line::Unreadable { name: None };
    };
    let name = name.trim();
    if !is_name(name) {
        return Line::Unreadable { name: None };
    }
    let value_at = line.len() - value.len();
    match read_value(&text[value_at..]) {
        Some((value, consumed)) if !value.contains(['\0', char::REPLACEMENT_CHARACTER]) => {
            Line::Variable { name: name.to_owned(), value, consumed: value_at + consumed }
        }
        _ => Line::Unreadable { name: Some(name.to_owned()) },
    }
}

fn is_name(name: &str) -> bool {
    let starts = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    starts && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

/// Returns the value at the start of a text, and the bytes it takes, line end included.
fn read_value(text: &str) -> Option<(String, usize)> {
    let line = text.split_inclusive('\n').next().unwrap_or_default();
    let begins = line.len() - line.trim_start_matches([' ', '\t']).len();
    if line[begins..].starts_with(QUOTES) {
        return quoted(text, begins);
    }
    // Quotes further on are part of it, as in: it's fine.
    let mut value = line;
    for (at, _) in line.match_indices('#') {
        // A sign without a space before it belongs to the value, as in a password.
        if line[..at].ends_with([' ', '\t']) {
            value = &line[..at];
            break;
        }
    }
    Some((value.trim().to_owned(), line.len()))
}

const QUOTES: [char; 3] = ['"', '\'', '`'];

/// Returns a value that begins with a quote, as a shell reads it: quoted and unquoted pieces, up to a space. A quoted
/// piece may span several lines.
fn quoted(text: &str, begins: usize) -> Option<(String, usize)> {
    let mut value = String::with_capacity(text.len().min(MOST_QUOTED_BYTES));
    let mut at = begins;
    loop {
        let rest = &text[at..];
        let sign = rest.chars().next();
        match sign {
            Some(quote) if QUOTES.contains(&quote) => at += 1 + piece(&rest[1..], quote, &mut value)?,
            // A shell takes the sign as it is, as in 'it'\''s'.
            Some('\\') => {
                let escaped = rest[1..].chars().next().filter(|sign| !sign.is_whitespace())?;
                value.push(escaped);
                at += 1 + escaped.len_utf8();
            }
            Some(sign) if !sign.is_whitespace() => {
                value.push(sign);
                at += sign.len_utf8();
            }
            _ => break,
        }
    }
    let after = text[at..].split_inclusive('\n').next().unwrap_or_default();
    let is_over = after.trim().is_empty() || (after.starts_with([' ', '\t']) && after.trim().starts_with('#'));
    is_over.then(|| (value, at + after.len()))
}

/// Appends a quoted piece and returns the bytes it takes, closing quote included.
fn piece(text: &str, quote: char, value: &mut String) -> Option<usize> {
    let mut signs = text.char_indices();
    while let Some((at, sign)) = signs.next() {
        match sign {
            sign if sign == quote => return Some(at + 1),
            '\\' if quote == '"' => {
                let (_, escaped) = signs.next()?;
                match escaped {
                    'n' => value.push('\n'),
                    'r' => value.push('\r'),
                    't' => value.push('\t'),
                    '"' | '\\' | '$' | '`' => value.push(escaped),
                    other => value.extend(['\\', other]),
                }
            }
            // A line end is one, whichever editor wrote it.
            '\r' if text[at + 1..].starts_with('\n') => {}
            sign => value.push(sign),
        }
    }
    None
}

#[cfg(test)]
#[path = "dotenv_tests.rs"]
mod tests;
