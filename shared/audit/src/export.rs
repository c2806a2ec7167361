//! An export of a log: a file of JSON lines, each an entry or a checkpoint after the last entry that it holds, and a last
//! one that says how many there were. Nothing here judges.

use serde::{Deserialize, Serialize};

use crate::{entry::Entry, error::ExportFault, tree::Hash};

/// Line of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Entry of the chain.
    Entry(Entry),
    /// Signed checkpoint.
    Checkpoint(String),
    /// Last line, with the number of entries before it.
    End(u64),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, untagged)]
enum Written {
    Entry { sequence: u64, hash: String, entry: String },
    Checkpoint { checkpoint: String },
    End { entries: u64 },
}

/// Reads a line.
///
/// # Errors
/// [`ExportFault`]: it is none.
pub fn read_line(text: &str) -> Result<Line, ExportFault> {
    let written = serde_json::from_str(text).map_err(|error| ExportFault(error.to_string()))?;
    Ok(match written {
        Written::Entry { sequence, hash, entry } => {
            let hash =
                from_hex(&hash).ok_or_else(|| ExportFault("a hash must have 64 hexadecimal digits".to_owned()))?;
            Line::Entry(Entry { sequence, bytes: entry, hash })
        }
        Written::Checkpoint { checkpoint } => Line::Checkpoint(checkpoint),
        Written::End { entries } => Line::End(entries),
    })
}

impl Line {
    /// Writes the line, without its end.
    #[must_use]
    pub fn text(self) -> String {
        let written = match self {
            Self::Entry(Entry { sequence, bytes, hash }) => {
                Written::Entry { sequence, hash: hash.iter().map(|byte| format!("{byte:02x}")).collect(), entry: bytes }
            }
            Self::Checkpoint(checkpoint) => Written::Checkpoint { checkpoint },
            Self::End(entries) => Written::End { entries },
        };
        // Texts and numbers: nothing that JSON cannot hold.
        serde_json::to_string(&written).unwrap_or_default()
    }
}

fn from_hex(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != hash.len() || !rest.is_empty() {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(pairs) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_were_written() {
        let entry = Entry { sequence: 3, bytes: "{\"a\":\"\u{e9}\\n\"}".to_owned(), hash: [0xa7; 32] };
        for line in [Line::Entry(entry), Line::Checkpoint("a\n\nb\n".to_owned()), Line::End(3)] {
            assert_eq!(read_line(&line.clone().text()).unwrap(), line);
        }
        for text in ["", "{}", r#"{"sequence":1,"hash":"00","entry":""}"#, r#"{"entries":1,"more":2}"#] {
            assert!(read_line(text).is_err(), "{text}");
        }
    }
}
