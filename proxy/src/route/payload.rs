//! The body of a call as sent: unchanged, except for another model name and an added `include_usage`, if an upstream
//! needs that.

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};

use super::upstream::Upstream;
use crate::{
    client::body::RequestBody,
    request::{document::Document, intake::Source},
};

/// Body to send.
pub(crate) enum Payload {
    /// Read, so that it can be sent again.
    Whole(Whole),
    /// Passed on as it arrives: it can be sent once.
    Passing(Option<Incoming>),
}

/// A body that was read.
pub(crate) struct Whole {
    body: Read,
    /// `true` if it asks for a stream that has figures only on request.
    streams: bool,
    /// Its share of memory.
    from: Option<Source>,
}

enum Read {
    Bytes(Bytes),
    Json(Document),
}

impl Payload {
    /// Builds a body that passes unread.
    pub(crate) fn unread(from: Source) -> Self {
        // What has nothing in it can be sent again.
        if from.body.is_end_stream() { Self::whole(Bytes::new(), from) } else { Self::Passing(Some(from.body)) }
    }

    /// Builds a body that was read and is not changed.
    pub(crate) const fn whole(body: Bytes, from: Source) -> Self {
        Self::Whole(Whole { body: Read::Bytes(body), streams: false, from: Some(from) })
    }

    /// Builds a body whose fields may be changed. `streams`: it asks for a stream that has figures only on request.
    pub(crate) const fn read(document: Document, streams: bool, from: Source) -> Self {
        Self::Whole(Whole { body: Read::Json(document), streams, from: Some(from) })
    }

    /// Returns `true` if it can be sent more than once.
    pub(crate) const fn can_repeat(&self) -> bool {
        matches!(self, Self::Whole(_))
    }

    /// Returns the bytes that were read.
    pub(crate) const fn text(&self) -> Option<&Bytes> {
        match self {
            Self::Whole(Whole { body: Read::Bytes(body), .. }) => Some(body),
            Self::Whole(Whole { body: Read::Json(document), .. }) => Some(document.text()),
            Self::Passing(_) => None,
        }
    }

    /// Returns the body of an attempt, with `upstream`'s name of the model if it differs, and `true` if `include_usage`
    /// was added; `asks_usage` permits that. The last attempt takes the source along.
    pub(crate) fn body(
        &mut self,
        upstream: &Upstream,
        model: Option<&str>,
        asks_usage: bool,
        is_last: bool,
    ) -> (RequestBody, bool) {
        let whole = match self {
            Self::Whole(whole) => whole,
            Self::Passing(body) => {
                let body = body.take().map_or_else(|| RequestBody::Whole(Full::default(), None), RequestBody::Passing);
                return (body, false);
            }
        };
        let from = if is_last { whole.from.take() } else { None };
        let (sent, asks) = match &whole.body {
            Read::Bytes(body) => (body.clone(), false),
            Read::Json(document) => {
                let mut sent = document.clone();
                if let Some(name) = upstream.renamed(model) {
                    sent.set_model(&name);
                }
                // Options that cannot be read as they are meant are sent as they are.
                let asks = asks_usage && whole.streams && sent.ask_usage().unwrap_or(false);
                (sent.into_text(), asks)
            }
        };
        (RequestBody::Whole(Full::new(sent), from), asks)
    }
}
