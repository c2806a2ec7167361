//! The end of a stream that broke: an error event in the shape that its caller reads. What follows it is no end of the
//! body, so that a caller that knows no such event does not take a part for the whole.

use bytes::Bytes;
use serde_json::{Value, json};

use super::refusal::{Code, Refusal, Shape};

/// Number for those who read an error's code as an HTTP status.
const STATUS: u16 = 502;
const MESSAGE: &str = "the provider's answer broke off before its end";

/// How the caller of a stream reads an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reader {
    pub(super) shape: Shape,
    /// Whether its codes are numbers, as OpenRouter's.
    pub(super) numbers: bool,
}

impl Reader {
    /// Whether every SDK of the shape raises an error when it reads such an event. Cohere's pass it over.
    pub(super) const fn heeds_events(self) -> bool {
        !matches!(self.shape, Shape::Cohere)
    }

    /// The last event of a stream that broke. `number`: the event's own, where events are numbered.
    pub(super) fn last_event(self, number: u64) -> Bytes {
        let refusal = Refusal::new(Code::UpstreamMidStream, MESSAGE);
        let body = refusal.body(self.shape);
        let (kind, code) = (Code::UpstreamMidStream.kind(), Code::UpstreamMidStream.text());
        match self.shape {
            // One SDK skips every event that has a name; none needs it here.
            Shape::OpenAi if self.numbers => {
                let metadata = json!({ "error_code": code });
                unnamed(&json!({ "error": { "message": MESSAGE, "type": kind, "param": null, "code": STATUS,
                    "metadata": metadata } }))
            }
            Shape::OpenAi | Shape::Google => [&b"data: "[..], &body, b"\n\n"].concat().into(),
            // Some read the event's own fields, some only an error within it.
            Shape::Responses => {
                let error = json!({ "type": kind, "code": code, "message": MESSAGE, "param": null });
                named(&json!({ "type": "error", "sequence_number": number, "code": code, "message": MESSAGE,
                    "param": null, "error": error }))
            }
            Shape::Cohere => named(&json!({ "type": "error", "message": MESSAGE, "code": code })),
            Shape::Anthropic => [&b"event: error\ndata: "[..], &body, b"\n\n"].concat().into(),
        }
    }
}

fn named(data: &Value) -> Bytes {
    format!("event: error\ndata: {data}\n\n").into()
}

fn unnamed(data: &Value) -> Bytes {
    format!("data: {data}\n\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_gets_the_event_that_its_sdks_raise() {
        for (shape, numbers, begins, pointer, expected) in [
            (Shape::OpenAi, false, "data: {", "/error/code", json!("upstream_mid_stream_failure")),
            (Shape::OpenAi, true, "data: {", "/error/code", json!(502)),
            (Shape::Responses, false, "event: error\ndata: {", "/sequence_number", json!(7)),
            (Shape::Responses, false, "event: error\ndata: {", "/error/message", json!(MESSAGE)),
            (
                Shape::Anthropic,
                false,
                "event: error\ndata: {",
                "/error/details/error_code",
                json!("upstream_mid_stream_failure"),
            ),
            (Shape::Google, false, "data: {", "/error/code", json!(502)),
            (Shape::Cohere, false, "event: error\ndata: {", "/type", json!("error")),
        ] {
            let event = Reader { shape, numbers }.last_event(7);
            let text = String::from_utf8(event.to_vec()).unwrap();
            assert!(text.starts_with(begins) && text.ends_with("}\n\n"), "{shape:?}: {text}");
            let data: Value = serde_json::from_str(text.split_once("data: ").unwrap().1).unwrap();
            assert_eq!(data.pointer(pointer), Some(&expected), "{shape:?}: {text}");
        }
    }
}
