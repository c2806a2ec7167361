//! Request bodies that must be read before they are forwarded: those whose model routes them and those whose stream is
//! metered. Everything else passes unread.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::room::{Arrives, Payer, Room, Taken};
use crate::refusal::{Code, Refusal};

/// Time limit for the arrival of a body that must be read.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// Source of a body, with its share of memory until it has been sent on.
pub(crate) struct Source<B = Incoming> {
    pub(crate) body: B,
    payer: Payer,
    taken: Option<Taken>,
}

impl Room {
    /// Returns `true` if a body declares a length within the limit.
    pub(crate) fn has<B: Body>(&self, from: &Source<B>) -> bool {
        from.body.size_hint().exact().is_some_and(|bytes| bytes <= self.body_bytes() as u64)
    }

    /// Reads a body to its end.
    pub(crate) async fn read<B: Body<Data = Bytes> + Unpin>(&self, from: &mut Source<B>) -> Result<Bytes, Refusal> {
        if from.body.size_hint().lower() > self.body_bytes() as u64 {
            return Err(too_large());
        }
        let read = match tokio::time::timeout(BODY_TIMEOUT, self.collect(from)).await {
            Ok(read) => read,
            Err(_) => Err(Refusal::new(Code::BodyTimeout, "the body did not arrive in time")),
        };
        if read.is_err() {
            from.taken = None;
        }
        read
    }

    async fn collect<B: Body<Data = Bytes> + Unpin>(&self, from: &mut Source<B>) -> Result<Bytes, Refusal> {
        let Some(first) = next(&mut from.body, None).await? else { return Ok(Bytes::new()) };
        self.take_for(from, 0, first.len(), None).await?;
        if from.body.is_end_stream() {
            // Most bodies arrive in one piece and are not copied.
            return Ok(first);
        }
        let arrives = self.arrives(from.payer);
        arrives.has(first.len());
        let Some(second) = next(&mut from.body, Some(&arrives)).await? else { return Ok(first) };
        let mut whole = BytesMut::from(first);
        let mut more = Some(second);
        while let Some(data) = more {
            self.take_for(from, whole.len(), data.len(), Some(&arrives)).await?;
            whole.extend_from_slice(&data);
            arrives.has(whole.len());
            more = next(&mut from.body, Some(&arrives)).await?;
        }
        Ok(whole.freeze())
    }

    /// Takes room for `more` bytes of a body of which there are some already.
    async fn take_for<B>(
        &self,
        from: &mut Source<B>,
        there: usize,
        more: usize,
        arrives: Option<&Arrives>,
    ) -> Result<(), Refusal> {
        if there + more > self.body_bytes() {
            return Err(too_large());
        }
        self.take(&mut from.taken, from.payer, more, arrives).await
    }
}

impl<B> Source<B> {
    /// A body of which nothing was read.
    pub(crate) const fn new(body: B, payer: Payer) -> Self {
        Self { body, payer, taken: None }
    }
}

/// Returns the next bytes of a body; `None` at its end. One in the list of those that arrive may have to give way.
async fn next<B: Body<Data = Bytes> + Unpin>(
    body: &mut B,
    arrives: Option<&Arrives>,
) -> Result<Option<Bytes>, Refusal> {
    loop {
        let frame = match arrives {
            None => body.frame().await,
            Some(arrives) => tokio::select! {
                biased;
                refusal = arrives.gives_way() => return Err(refusal),
                frame = body.frame() => frame,
            },
        };
        let Some(frame) = frame else { return Ok(None) };
        let frame = frame.map_err(|_| Refusal::new(Code::BadBody, "the body broke off before its end"))?;
        match frame.into_data() {
            Ok(data) if !data.is_empty() => return Ok(Some(data)),
            _ => {}
        }
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
