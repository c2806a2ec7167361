//! A successful answer of a route, and its conversion to a response.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use keyway_domain::RequestId;
use keyway_vault::SecretBytes;
use serde::Serialize;
use warp::Reply;

use crate::{error, etag, event_stream::EventStream};

/// Bytes that are wiped when their last part has been sent.
struct Wiped(SecretBytes);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        self.0.plain()
    }
}

/// Returns a body that is wiped when its last part has been sent.
pub(crate) fn wiped(body: SecretBytes) -> Bytes {
    Bytes::from_owner(Wiped(body))
}

/// Successful answer of a route.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    body: Bytes,
    headers: Vec<(HeaderName, HeaderValue)>,
    is_secret: bool,
    /// What follows for as long as the caller listens, in place of a body.
    events: Option<EventStream>,
}

impl Answer {
    /// Builds a 200 with JSON.
    pub(crate) fn ok(body: &impl Serialize) -> Self {
        Self::json(StatusCode::OK, body)
    }

    /// Builds a 201 with JSON, and the new resource's path as `Location`.
    pub(crate) fn created(body: &impl Serialize, location: &str) -> Self {
        Self::json(StatusCode::CREATED, body).located(location)
    }

    /// Builds a 202 with JSON, and the operation's path as `Location`.
    pub(crate) fn accepted(body: &impl Serialize, location: &str) -> Self {
        Self::json(StatusCode::ACCEPTED, body).located(location)
    }

    /// Builds a 200 with a stream of events.
    pub(crate) fn events(events: EventStream) -> Self {
        Self { status: StatusCode::OK, events: Some(events), ..Self::no_content() }
    }

    /// Builds a 202 with JSON, without an operation to watch.
    pub(crate) fn noted(body: &impl Serialize) -> Self {
        Self::json(StatusCode::ACCEPTED, body)
    }

    /// Builds a 200 with JSON that holds a secret: wiped after it was sent, and never to be stored.
    pub(crate) fn of_secret(body: SecretBytes) -> Self {
        Self { status: StatusCode::OK, body: wiped(body), is_secret: true, ..Self::no_content() }
    }

    /// Builds a 200 with bytes and all headers that it has.
    pub(crate) fn of_bytes(body: Bytes, headers: Vec<(HeaderName, HeaderValue)>) -> Self {
        Self { status: StatusCode::OK, body, headers, ..Self::no_content() }
    }

    /// Builds a 204.
    pub(crate) const fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: Bytes::new(), headers: Vec::new(), is_secret: false, events: None }
    }

    /// Builds a 303 to a place.
    pub(crate) fn see_other(location: &str) -> Self {
        let status = StatusCode::SEE_OTHER;
        Self { status, ..Self::no_content() }.located(location)
    }

    /// Rebuilds a stored answer, with its headers.
    pub(crate) fn again(status: u16, mut headers: Vec<(HeaderName, HeaderValue)>, body: Bytes) -> Self {
        headers.push((HeaderName::from_static("idempotent-replayed"), HeaderValue::from_static("true")));
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
        Self { status, body, headers, is_secret: false, events: None }
    }

    /// Returns one of the answer's own headers.
    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).and_then(|(_, value)| value.to_str().ok())
    }

    /// Returns the cookie that the answer sets.
    pub(crate) fn into_cookie(self) -> Option<(HeaderName, HeaderValue)> {
        self.headers.into_iter().find(|(name, _)| name == header::SET_COOKIE)
    }

    /// Adds the ETag of a row's version.
    pub(crate) fn tagged(mut self, version: i32) -> Self {
        self.headers.push((header::ETAG, etag::of(version)));
        self
    }

    /// Adds an ETag of the whole answer to a GET; drops the body if the caller has it already (304).
    pub(crate) fn for_reader(mut self, headers: &HeaderMap) -> Self {
        if self.events.is_some() || self.status != StatusCode::OK {
            return self;
        }
        let version = self.header(&header::ETAG).and_then(|etag| etag.trim_matches('"').parse().ok());
        let etag = etag::of_answer(version, &self.body);
        if etag::is_known(headers, &etag) {
            (self.status, self.body) = (StatusCode::NOT_MODIFIED, Bytes::new());
        }
        self.headers.retain(|(name, _)| name != header::ETAG);
        self.headers.push((header::ETAG, etag));
        self
    }

    /// Adds a header, if there is one.
    pub(crate) fn with_header(mut self, header: Option<(HeaderName, HeaderValue)>) -> Self {
        self.headers.extend(header);
        self
    }

    /// Marks the answer as holding a secret that is shown once: it must be sealed if stored.
    pub(crate) const fn secret(mut self) -> Self {
        self.is_secret = true;
        self
    }

    pub(crate) const fn is_secret(&self) -> bool {
        self.is_secret
    }

    pub(crate) const fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// Returns a copy of the body that is wiped after use.
    pub(crate) fn body(&self) -> SecretBytes {
        SecretBytes::new(self.body.to_vec())
    }

    /// Converts the answer to a response.
    pub(crate) fn into_response(self, request_id: RequestId) -> warp::reply::Response {
        let is_stream = self.events.is_some();
        let mut response = match self.events {
            Some(EventStream(events)) => warp::sse::reply(warp::sse::keep_alive().stream(events)).into_response(),
            None => Response::new(self.body).into_response(),
        };
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let has_no_body =
            matches!(self.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::SEE_OTHER);
        if !is_stream && !has_no_body {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // The answer's own ones stand in the place of the usual ones.
        for (name, _) in &self.headers {
            headers.remove(name);
        }
        headers.extend(self.headers);
        error::stamp(&mut response, request_id);
        response
    }

    fn json(status: StatusCode, body: &impl Serialize) -> Self {
        // Our own types always serialise; an empty body would be a defect that the tests see.
        let body = serde_json::to_vec(body).unwrap_or_default().into();
        Self { status, body, headers: Vec::new(), is_secret: false, events: None }
    }

    /// Adds a `Location`.
    pub(crate) fn located(mut self, location: &str) -> Self {
        if let Ok(location) = HeaderValue::try_from(location) {
            self.headers.push((header::LOCATION, location));
        }
        self
    }
}
