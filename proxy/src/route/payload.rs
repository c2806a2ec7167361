//! The body of a call as it is sent: as it came, but for another name of its model and for asking for the figures of a
//! stream, where an upstream needs that.

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};

use super::upstream::Upstream;
use crate::{
    client::body::RequestBody,
    request::{inspect::Fields, intake::Source},
};

/// What is sent.
pub(crate) enum Payload {
    /// Read already, so that it can be sent again.
    Whole(Whole),
    /// Passed on as it arrives: it can be sent once.
    Passing(Option<Incoming>),
}

/// A body that was read.
pub(crate) struct Whole {
    body: Bytes,
    /// Where its fields are, if it is JSON.
    fields: Option<Fields>,
    /// Whether it asks for a stream whose figures have to be asked for.
    streams: bool,
    /// Room in memory that it takes.
    from: Option<Source>,
}

impl Payload {
    /// A body that passes unread.
    pub(crate) fn unread(from: Source) -> Self {
        // What has nothing in it can be sent again.
        if from.body.is_end_stream() { Self::whole(Bytes::new(), from) } else { Self::Passing(Some(from.body)) }
    }

    /// A body that was read and stays as it is.
    pub(crate) const fn whole(body: Bytes, from: Source) -> Self {
        Self::Whole(Whole { body, fields: None, streams: false, from: Some(from) })
    }

    /// A body in whose fields something may be changed. `streams`: it asks for a stream whose figures have to be asked
    /// for.
    pub(crate) const fn read(body: Bytes, fields: Fields, streams: bool, from: Source) -> Self {
        Self::Whole(Whole { body, fields: Some(fields), streams, from: Some(from) })
    }

    /// Whether it can be sent more than once.
    pub(crate) const fn can_repeat(&self) -> bool {
        matches!(self, Self::Whole(_))
    }

    /// What was read of it.
    pub(crate) const fn text(&self) -> Option<&Bytes> {
        match self {
            Self::Whole(whole) => Some(&whole.body),
            Self::Passing(_) => None,
        }
    }

    /// The body of an attempt, with another name for its model where `upstream` has one, and whether it asks for figures
    /// that the caller did not ask for; `asks_usage`: it may. The last attempt takes along what it was read from.
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
