//! The caller's view of the wire: the bytes of a body, chunk by chunk, and whether it came to its own end.

use super::{
    harness::{Harness, Key},
    scripted::raw,
};

/// An answer over HTTP/1.1, as it was sent.
pub(super) struct Wire {
    pub(super) head: String,
    pub(super) chunks: Vec<String>,
    /// `true` if the last chunk arrived.
    pub(super) is_whole: bool,
}

impl Wire {
    /// Posts a body and reads until the connection is closed.
    pub(super) async fn post(harness: &Harness, path: &str, key: &Key, body: &serde_json::Value) -> Self {
        let body = body.to_string();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: keyway\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            key.text,
            body.len()
        );
        Self::read(&raw(&harness.url, &request).await)
    }

    fn read(answer: &str) -> Self {
        let (head, mut rest) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("transfer-encoding: chunked"), "{head}");
        let mut chunks = Vec::new();
        while let Some((length, behind)) = rest.split_once("\r\n") {
            let length = usize::from_str_radix(length, 16).unwrap();
            if length == 0 {
                assert_eq!(behind, "\r\n");
                return Self { head: head.to_owned(), chunks, is_whole: true };
            }
            chunks.push(behind[..length].to_owned());
            rest = behind[length..].strip_prefix("\r\n").unwrap();
        }
        assert_eq!(rest, "", "half a chunk");
        Self { head: head.to_owned(), chunks, is_whole: false }
    }

    /// The body.
    pub(super) fn text(&self) -> String {
        self.chunks.concat()
    }

    /// A header of the answer.
    pub(super) fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(it, _)| it.eq_ignore_ascii_case(name)).map(|(_, value)| value).unwrap_or_default()
    }
}
