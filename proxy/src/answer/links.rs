//! Removes scheme and host from URLs in an answer that SDKs follow with their key. The remaining path is requested at
//! the SDK's base URL; with its host, the SDK would bypass Keyway and hand the provider a virtual key.

use std::{mem, ops::Range};

use bytes::Bytes;
use memchr::{memchr, memmem};

use super::redact::begun;

/// Longest accepted scheme and host, in bytes.
const MAX_HOST_BYTES: usize = 512;

/// Finds the URLs in one answer.
pub(crate) struct Links {
    /// Name of the field in quotes: inside a text they would be escaped.
    name: String,
    /// End of the last chunk, if it may be the beginning of a URL.
    held_back: Vec<u8>,
}

/// Value behind a name.
enum Value {
    /// A URL; the range holds its scheme and host.
    Link(Range<usize>),
    /// Any other value.
    Other,
    /// More bytes are needed to decide.
    Unfinished,
}

impl Links {
    /// Builds a search for the values of this field.
    pub(crate) fn new(field: &str) -> Self {
        Self { name: format!("\"{field}\""), held_back: Vec::new() }
    }

    /// Takes a chunk and returns the bytes that may pass now.
    pub(crate) fn pass(&mut self, chunk: &[u8]) -> Bytes {
        let mut text = mem::take(&mut self.held_back);
        text.extend_from_slice(chunk);
        let (mut out, mut rest) = (Vec::with_capacity(text.len()), &text[..]);
        while let Some(at) = memmem::find(rest, self.name.as_bytes()) {
            let (before, value) = rest.split_at(at + self.name.len());
            match Value::of(value) {
                Value::Link(host) => {
                    out.extend_from_slice(before);
                    out.extend_from_slice(&value[..host.start]);
                    rest = &value[host.end..];
                }
                Value::Other => {
                    out.extend_from_slice(before);
                    rest = value;
                }
                Value::Unfinished => {
                    out.extend_from_slice(&rest[..at]);
                    self.held_back = rest[at..].to_vec();
                    return out.into();
                }
            }
        }
        let (passed, held_back) = rest.split_at(rest.len() - begun(rest, self.name.as_bytes()));
        out.extend_from_slice(passed);
        self.held_back = held_back.to_vec();
        out.into()
    }

    /// Returns the bytes held back at the end of the answer.
    pub(crate) fn finish(&mut self) -> Bytes {
        mem::take(&mut self.held_back).into()
    }
}

impl Value {
    fn of(text: &[u8]) -> Self {
        let end = || if text.len() > MAX_HOST_BYTES { Self::Other } else { Self::Unfinished };
        let rest = match text.trim_ascii_start() {
            [b':', rest @ ..] => rest.trim_ascii_start(),
            [] => return end(),
            _ => return Self::Other,
        };
        for scheme in [&b"\"https://"[..], b"\"http://"] {
            if let Some(host) = rest.strip_prefix(scheme) {
                return match (memchr(b'/', host), memchr(b'"', host)) {
                    (Some(path), quote) if quote.is_none_or(|quote| path < quote) => {
                        let start = text.len() - rest.len() + 1;
                        Self::Link(start..text.len() - host.len() + path)
                    }
                    (None, None) => end(),
                    _ => Self::Other,
                };
            }
            if scheme.starts_with(rest) {
                return end();
            }
        }
        Self::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_loses_its_host_however_it_is_cut() {
        for (body, expected) in [
            (r#"{"u":"https://api.x.com/v1/b/1/results","a":1}"#, r#"{"u":"/v1/b/1/results","a":1}"#),
            (r#"{"u" : "http://127.0.0.1:80/v1"}"#, r#"{"u" : "/v1"}"#),
            (r#"[{"u":"https://a/x"},{"u":null},{"u":"https://b/y"}]"#, r#"[{"u":"/x"},{"u":null},{"u":"/y"}]"#),
            (r#"{"u":"https://no.path"}"#, r#"{"u":"https://no.path"}"#),
            (r#"{"u":"https://no.path","v":"/"}"#, r#"{"u":"https://no.path","v":"/"}"#),
            (r#"{"u":"ftp://a/x"}"#, r#"{"u":"ftp://a/x"}"#),
            (r#"{"t":"\"u\":\"https://a/x\""}"#, r#"{"t":"\"u\":\"https://a/x\""}"#),
            (r#"{"v":"https://a/x","u":"ht"#, r#"{"v":"https://a/x","u":"ht"#),
            (r#"["u","https://a/x"]"#, r#"["u","https://a/x"]"#),
            ("", ""),
        ] {
            for cut in 1..=body.len().max(1) {
                let mut links = Links::new("u");
                let mut out = Vec::new();
                for piece in body.as_bytes().chunks(cut) {
                    out.extend_from_slice(&links.pass(piece));
                }
                out.extend_from_slice(&links.finish());
                assert_eq!(String::from_utf8_lossy(&out), expected, "cut {cut}");
            }
        }
    }

    #[test]
    fn what_never_ends_is_not_kept() {
        let mut links = Links::new("u");
        let mut passed = links.pass(b"{\"u\":\"https://").len();
        for _ in 0..100 {
            passed += links.pass(&[b'a'; 100]).len();
        }
        assert!(passed > 9000 && links.held_back.len() < 1000, "{passed}");
    }
}
