//! Records an answer while it passes, and decides whether it may be cached.

use bytes::Bytes;
use memchr::memmem;
use serde::{Deserialize, de::IgnoredAny};

type Keep = Box<dyn FnOnce(Bytes) + Send + Sync>;

/// Bytes of an answer that passed, until they are too many.
pub(crate) struct Recorder {
    bytes: Vec<u8>,
    most: usize,
    /// Receiver of the whole answer; `None`: it is not kept.
    keep: Option<Keep>,
}

impl Recorder {
    /// Builds a recorder that hands over a complete answer of at most `most_bytes`. Dropped before the end, it forgets
    /// the answer.
    pub(crate) fn new(most_bytes: usize, keep: impl FnOnce(Bytes) + Send + Sync + 'static) -> Self {
        Self { bytes: Vec::new(), most: most_bytes, keep: Some(Box::new(keep)) }
    }

    /// Records bytes that pass.
    pub(crate) fn see(&mut self, passed: &[u8]) {
        if self.keep.is_none() {
            return;
        }
        if self.bytes.len() + passed.len() > self.most {
            (self.keep, self.bytes) = (None, Vec::new());
        } else {
            self.bytes.extend_from_slice(passed);
        }
    }

    /// The answer came to its own end.
    pub(crate) fn end(self) {
        if let Some(keep) = self.keep {
            keep(self.bytes.into());
        }
    }
}

/// Returns `true` if an answer with status 200 reports an error: some providers do so in the middle of a stream, some
/// in the body.
pub(crate) fn is_error(streamed: bool, body: &[u8]) -> bool {
    if !streamed {
        return says_error(body);
    }
    let is_error = |line: &[u8]| match line.strip_prefix(b"event:") {
        Some(kind) => kind.trim_ascii() == b"error",
        None => line.strip_prefix(b"data:").is_some_and(says_error),
    };
    body.split(|byte| *byte == b'\n').any(is_error)
}

fn says_error(data: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Said {
        error: Option<IgnoredAny>,
        #[serde(default, rename = "type")]
        kind: serde_json::Value,
    }
    // Cheap, and enough to leave most alone.
    let may_be = ["\"error\"", "\"response.failed\""].iter().any(|word| memmem::find(data, word.as_bytes()).is_some());
    may_be
        && serde_json::from_slice::<Said>(data).is_ok_and(|said| {
            said.error.is_some() || said.kind.as_str().is_some_and(|kind| matches!(kind, "error" | "response.failed"))
        })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn only_a_whole_answer_that_is_not_too_long_is_kept() {
        for (most, ends, expected) in [(6, true, Some("abcdef")), (5, true, None), (6, false, None)] {
            let kept = Arc::new(Mutex::new(None));
            let place = Arc::clone(&kept);
            let mut recorder = Recorder::new(most, move |bytes| *place.lock().unwrap() = Some(bytes));
            recorder.see(b"abc");
            recorder.see(b"def");
            if ends {
                recorder.end();
            } else {
                drop(recorder);
            }
            assert_eq!(kept.lock().unwrap().as_deref(), expected.map(str::as_bytes), "{most} {ends}");
        }
    }

    #[test]
    fn an_error_inside_an_answer_is_found_and_talk_of_errors_is_none() {
        for (streamed, body, expected) in [
            (false, r#"{"error":{"message":"no"}}"#, true),
            (false, r#"{"error":null,"choices":[]}"#, false),
            (false, r#"{"choices":[{"text":"the \"error\" is {\"error\":1}"}],"x":{"error":1}}"#, false),
            (true, "event: error\ndata: {}\n\n", true),
            (true, "data: {\"a\":1}\n\ndata: {\"error\":{\"code\":500}}\n\n", true),
            (true, "data: {\"type\":\"response.failed\",\"response\":{\"error\":{}}}\n\n", true),
            (true, "data: {\"type\":\"response.completed\",\"response\":{\"error\":null}}\n\ndata: [DONE]\n\n", false),
            (true, "data: {\"delta\":\"event: error \\\"error\\\"\"}\n\n", false),
        ] {
            assert_eq!(is_error(streamed, body.as_bytes()), expected, "{body}");
        }
    }
}
