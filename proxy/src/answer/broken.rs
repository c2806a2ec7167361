//! The end of a stream that broke: an error event in the shape that its caller reads. The body is broken off after it,
//! so that a caller that ignores such an event does not take a part for the whole.

use bytes::Bytes;
use keyway_domain::RequestId;

use crate::refusal::{Code, shape::Shape};

/// Code for callers that read an error's code as an HTTP status.
const STATUS: u16 = 502;
const MESSAGE: &str = "the provider's answer broke off before its end";

/// Form in which the caller of a stream reads an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reader {
    pub(crate) shape: Shape,
    /// `true` if codes are numbers, as at OpenRouter.
    pub(crate) numbers: bool,
    pub(crate) request_id: RequestId,
}

impl Reader {
    /// Returns `true` if every SDK of the shape raises an error on such an event. Cohere's ignore it.
    pub(crate) const fn heeds_events(self) -> bool {
        !matches!(self.shape, Shape::Cohere)
    }

    /// Returns the last event of a broken stream. `number` is its sequence number, where events are numbered. Its
    /// fields have the order of the shape's own errors: some parsers look for the first `type`.
    pub(crate) fn last_event(self, number: u64) -> Bytes {
        let (code, request_id) = (Code::UpstreamMidStream.text(), self.request_id);
        let event = match self.shape {
            // One SDK skips every event that has a name; none needs it here.
            Shape::OpenAi if self.numbers => format!(
                r#"data: {{"error":{{"message":"{MESSAGE}","type":"server_error","param":null,"code":{STATUS},"metadata":{{"error_code":"{code}"}}}}}}"#
            ),
            Shape::OpenAi => format!(
                r#"data: {{"error":{{"message":"{MESSAGE}","type":"server_error","param":null,"code":"{code}"}}}}"#
            ),
            Shape::Google => {
                let (status, reason) = ("UNAVAILABLE", code.to_ascii_uppercase());
                let detail = format!(
                    r#"{{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"{reason}","domain":"keyway"}}"#
                );
                format!(
                    r#"data: {{"error":{{"code":{STATUS},"message":"{MESSAGE}","status":"{status}","details":[{detail}]}}}}"#
                )
            }
            // Some read the event's own fields, some only an error within it.
            Shape::Responses => {
                let error = format!(r#"{{"type":"server_error","code":"{code}","message":"{MESSAGE}","param":null}}"#);
                named(&format!(
                    r#"{{"type":"error","sequence_number":{number},"code":"{code}","message":"{MESSAGE}","param":null,"error":{error}}}"#
                ))
            }
            Shape::Anthropic => {
                let details = format!(r#"{{"error_code":"{code}"}}"#);
                let error =
                    format!(r#"{{"type":"api_error","message":"{MESSAGE}","code":"{code}","details":{details}}}"#);
                named(&format!(r#"{{"type":"error","error":{error},"request_id":"{request_id}"}}"#))
            }
            Shape::Cohere => named(&format!(r#"{{"type":"error","message":"{MESSAGE}","code":"{code}"}}"#)),
        };
        [event.as_bytes(), b"\n\n"].concat().into()
    }
}

fn named(data: &str) -> String {
    format!("event: error\ndata: {data}")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_shape_gets_the_event_that_its_sdks_raise() {
        const M: &str = "the provider's answer broke off before its end";
        const C: &str = "upstream_mid_stream_failure";
        let request_id = RequestId::new();
        for (shape, numbers, expected) in [
            (
                Shape::OpenAi,
                false,
                format!(r#"data: {{"error":{{"message":"{M}","type":"server_error","param":null,"code":"{C}"}}}}"#),
            ),
            (
                Shape::OpenAi,
                true,
                format!(
                    r#"data: {{"error":{{"message":"{M}","type":"server_error","param":null,"code":502,"metadata":{{"error_code":"{C}"}}}}}}"#
                ),
            ),
            (
                Shape::Responses,
                false,
                format!(
                    r#"event: error|data: {{"type":"error","sequence_number":7,"code":"{C}","message":"{M}","param":null,"error":{{"type":"server_error","code":"{C}","message":"{M}","param":null}}}}"#
                ),
            ),
            (
                Shape::Anthropic,
                false,
                format!(
                    r#"event: error|data: {{"type":"error","error":{{"type":"api_error","message":"{M}","code":"{C}","details":{{"error_code":"{C}"}}}},"request_id":"{request_id}"}}"#
                ),
            ),
            (
                Shape::Google,
                false,
                format!(
                    r#"data: {{"error":{{"code":502,"message":"{M}","status":"UNAVAILABLE","details":[{{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"UPSTREAM_MID_STREAM_FAILURE","domain":"keyway"}}]}}}}"#
                ),
            ),
            (Shape::Cohere, false, format!(r#"event: error|data: {{"type":"error","message":"{M}","code":"{C}"}}"#)),
        ] {
            let event = Reader { shape, numbers, request_id }.last_event(7);
            let text = String::from_utf8(event.to_vec()).unwrap();
            assert_eq!(text, expected.replace('|', "\n") + "\n\n", "{shape:?}");
            let data = text.split_once("data: ").unwrap().1;
            assert!(serde_json::from_str::<Value>(data).is_ok_and(|data| data.is_object()), "{shape:?}: {text}");
        }
    }
}
