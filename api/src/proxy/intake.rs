//! Request bodies that have to be read before they are forwarded: those whose model routes them and
//! those whose stream is metered. Everything else passes unread.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::refusal::{Code, Refusal};

/// How long a body that has to be read may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// Reads a body to its end, up to `limit` bytes.
pub(super) async fn read(body: &mut Incoming, limit: usize) -> Result<Bytes, Refusal> {
    let hint = body.size_hint();
    if hint.lower() > limit as u64 {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_TIMEOUT, collect(body, limit)).await {
        Ok(read) => read,
        Err(_) => Err(Refusal::new(Code::BodyTimeout, "the body did not arrive in time")),
    }
}

/// The `payload` of a wrapped body.
pub(super) fn payload(body: &Bytes) -> Result<Bytes, Refusal> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wrapped<'a> {
        #[serde(borrow)]
        payload: &'a RawValue,
    }
    let wrapped: Wrapped<'_> = serde_json::from_slice(body)
        .map_err(|_| Refusal::new(Code::BadBody, "the body must be JSON with one field: payload"))?;
    Ok(body.slice_ref(wrapped.payload.get().as_bytes()))
}

/// Whether a body can be read as JSON: not another type, not compressed.
pub(super) fn is_plain_json(headers: &HeaderMap) -> bool {
    let is = |name, accepted: &dyn Fn(&str) -> bool| {
        headers.get(name).is_none_or(|value| value.to_str().is_ok_and(accepted))
    };
    let json = |text: &str| {
        let kind = text.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/json") || kind.to_ascii_lowercase().ends_with("+json")
    };
    is(header::CONTENT_TYPE, &json) && is(header::CONTENT_ENCODING, &|text| text.eq_ignore_ascii_case("identity"))
}

/// Whether a call's stream carries figures only when it is asked to.
pub(super) fn is_completion(method: &Method, path: &str) -> bool {
    *method == Method::POST && path.ends_with("/completions")
}

async fn collect(body: &mut Incoming, limit: usize) -> Result<Bytes, Refusal> {
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::new(Code::BadBody, "the body broke off before its end"))?;
        let Ok(data) = frame.into_data() else { continue };
        if first.len() + rest.len() + data.len() > limit {
            return Err(too_large());
        }
        if first.is_empty() && rest.is_empty() {
            // Most bodies arrive in one piece and are not copied.
            first = data;
        } else {
            if rest.is_empty() {
                rest.extend_from_slice(&std::mem::take(&mut first));
            }
            rest.extend_from_slice(&data);
        }
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

fn too_large() -> Refusal {
    Refusal::new(Code::BodyTooLarge, "the body is larger than this route reads; see KEYWAY_PROXY_BODY_BYTES")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_wrapped_body_has_a_payload_and_nothing_else() {
        let body = Bytes::from_static(br#" {"payload" : {"model":"m", "x":[1]} } "#);
        assert_eq!(payload(&body).unwrap(), Bytes::from_static(br#"{"model":"m", "x":[1]}"#));
        for wrong in [&b"{}"[..], b"", b"[]", br#"{"payload":{},"stream":true}"#, br#"{"payload":{}"#] {
            assert_eq!(payload(&Bytes::from_static(wrong)).unwrap_err().code(), Code::BadBody);
        }
    }

    #[test]
    fn only_plain_json_is_read() {
        for (kind, encoding, expected) in [
            (Some("application/json"), None, true),
            (Some("Application/JSON; charset=utf-8"), Some("identity"), true),
            (Some("application/vnd.x+json"), None, true),
            (None, None, true),
            (Some("multipart/form-data; boundary=x"), None, false),
            (Some("application/json"), Some("gzip"), false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(kind) = kind {
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            }
            if let Some(encoding) = encoding {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
            }
            assert_eq!(is_plain_json(&headers), expected, "{kind:?} {encoding:?}");
        }
    }
}
