//! Request bodies that must be read before they are forwarded: those whose model routes them and those whose stream is
//! metered. Everything else passes unread.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::refusal::{Code, Refusal};

/// Time limit for the arrival of a body that must be read.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// Memory limits of bodies: of each one, and of all in this process.
pub(crate) struct Room {
    body_bytes: usize,
    left: Arc<Semaphore>,
}

/// Source of a body, with its share of memory until it has been sent on.
pub(crate) struct Source<B = Incoming> {
    pub(crate) body: B,
    taken: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// Builds limits of `body_bytes` per body and `total_bytes` together.
    pub(crate) fn new(body_bytes: usize, total_bytes: usize) -> Self {
        let total_bytes = total_bytes.max(body_bytes).min(Semaphore::MAX_PERMITS);
        Self { body_bytes, left: Arc::new(Semaphore::new(total_bytes)) }
    }

    /// Returns `true` if a body declares a length within the limit.
    pub(crate) fn has<B: Body>(&self, from: &Source<B>) -> bool {
        from.body.size_hint().exact().is_some_and(|bytes| bytes <= self.body_bytes as u64)
    }

    /// Reads a body to its end.
    pub(crate) async fn read<B: Body<Data = Bytes> + Unpin>(&self, from: &mut Source<B>) -> Result<Bytes, Refusal> {
        if from.body.size_hint().lower() > self.body_bytes as u64 {
            return Err(too_large());
        }
        match tokio::time::timeout(BODY_TIMEOUT, self.collect(from)).await {
            Ok(read) => read,
            Err(_) => Err(Refusal::new(Code::BodyTimeout, "the body did not arrive in time")),
        }
    }

    async fn collect<B: Body<Data = Bytes> + Unpin>(&self, from: &mut Source<B>) -> Result<Bytes, Refusal> {
        let mut first = Bytes::new();
        let mut rest = BytesMut::new();
        while let Some(frame) = from.body.frame().await {
            let frame = frame.map_err(|_| Refusal::new(Code::BadBody, "the body broke off before its end"))?;
            let Ok(data) = frame.into_data() else { continue };
            if first.len() + rest.len() + data.len() > self.body_bytes {
                return Err(too_large());
            }
            from.take(&self.left, data.len())?;
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
}

impl<B> Source<B> {
    /// A body of which nothing was read.
    pub(crate) const fn new(body: B) -> Self {
        Self { body, taken: None }
    }

    fn take(&mut self, left: &Arc<Semaphore>, bytes: usize) -> Result<(), Refusal> {
        let full = || Refusal::new(Code::BodiesFull, "the bodies under way take all the memory they may; try again");
        let bytes = u32::try_from(bytes).map_err(|_| full())?;
        let more = Arc::clone(left).try_acquire_many_owned(bytes).map_err(|_| full())?;
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}

/// Returns the `payload` field of a wrapped body.
pub(crate) fn payload(body: &Bytes) -> Result<Bytes, Refusal> {
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

/// Returns `true` if a body can be read as JSON: neither another type nor compressed.
pub(crate) fn is_plain_json(headers: &HeaderMap) -> bool {
    let is = |name, accepted: &dyn Fn(&str) -> bool| {
        headers.get(name).is_none_or(|value| value.to_str().is_ok_and(accepted))
    };
    let json = |text: &str| {
        let kind = text.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/json") || kind.to_ascii_lowercase().ends_with("+json")
    };
    is(header::CONTENT_TYPE, &json) && is(header::CONTENT_ENCODING, &|text| text.eq_ignore_ascii_case("identity"))
}

/// Returns `true` if a call's stream has figures only on request.
pub(crate) fn is_completion(method: &Method, path: &str) -> bool {
    *method == Method::POST && path.ends_with("/completions")
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

    #[tokio::test]
    async fn bodies_share_the_room_until_they_are_sent() {
        let room = Room::new(8, 10);
        let source = |text: &'static str| Source::new(http_body_util::Full::new(Bytes::from_static(text.as_bytes())));
        let mut first = source("123456");
        assert_eq!(room.read(&mut first).await.unwrap(), "123456");
        assert_eq!(room.read(&mut source("123456")).await.unwrap_err().code(), Code::BodiesFull);
        assert_eq!(room.read(&mut source("1234")).await.unwrap(), "1234");
        drop(first);
        assert_eq!(room.read(&mut source("12345678")).await.unwrap(), "12345678");
        assert_eq!(room.read(&mut source("123456789")).await.unwrap_err().code(), Code::BodyTooLarge);
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
