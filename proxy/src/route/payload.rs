//! The body of a call as sent: unchanged, except for another model name and an added `include_usage`, if an upstream
//! needs that.

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};

use super::upstream::Upstream;
use crate::{
    client::body::RequestBody,
    request::{inspect::Fields, intake::Source},
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
    body: Bytes,
    /// Ranges of its fields, if it is JSON.
    fields: Option<Fields>,
    /// `true` if it asks for a stream that has figures only on request.
    streams: bool,
    /// Its share of memory.
    from: Option<Source>,
}

impl Payload {
    /// Builds a body that passes unread.
    pub(crate) fn unread(from: Source) -> Self {
        // What has nothing in it can be sent again.
        if from.body.is_end_stream() { Self::whole(Bytes::new(), from) } else { Self::Passing(Some(from.body)) }
    }

    /// Builds a body that was read and is not changed.
    pub(crate) const fn whole(body: Bytes, from: Source) -> Self {
        Self::Whole(Whole { body, fields: None, streams: false, from: Some(from) })
    }

    /// Builds a body whose fields may be changed. `streams`: it asks for a stream that has figures only on request.
    pub(crate) const fn read(body: Bytes, fields: Fields, streams: bool, from: Source) -> Self {
        Self::Whole(Whole { body, fields: Some(fields), streams, from: Some(from) })
    }

    /// Returns `true` if it can be sent more than once.
    pub(crate) const fn can_repeat(&self) -> bool {
        matches!(self, Self::Whole(_))
    }

    /// Returns the bytes that were read.
    pub(crate) const fn text(&self) -> Option<&Bytes> {
        match self {
            Self::Whole(whole) => Some(&whole.body),
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
        let mut sent = whole.body.clone();
        let renamed = upstream.renamed(model).zip(whole.fields.as_ref());
        let renamed = renamed.map(|(name, fields)| fields.with_model(&sent, &name));
        let fields = renamed.as_ref().map(|body| Fields::of(body).ok());
        sent = renamed.unwrap_or(sent);
        let fields = fields.as_ref().map_or(whole.fields.as_ref(), Option::as_ref);
        // What cannot be read as it is meant is sent as it is.
        let asked = fields.filter(|_| asks_usage && whole.streams).and_then(|it| it.with_usage(&sent).ok().flatten());
        let asks = asked.is_some();
        let from = if is_last { whole.from.take() } else { None };
        (RequestBody::Whole(Full::new(asked.unwrap_or(sent)), from), asks)
    }
}
