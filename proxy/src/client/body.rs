//! The body of a request to a provider.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use crate::request::intake::Source;

/// The body of a request to a provider.
pub(crate) enum RequestBody {
    /// A body that was read. Its source goes along, as it holds the body's share of memory.
    Whole(Full<Bytes>, Option<Source>),
    /// A body that is passed on as it arrives.
    Passing(Incoming),
}

impl RequestBody {
    /// Returns the same body once more, if it was read. It takes the share of memory over, as it keeps the bytes for
    /// longer.
    pub(super) fn again(&mut self) -> Option<Self> {
        match self {
            Self::Whole(body, from) => Some(Self::Whole(body.clone(), from.take())),
            Self::Passing(_) => None,
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Whole(body, _) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Self::Passing(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body, _) => body.is_end_stream(),
            Self::Passing(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body, _) => body.size_hint(),
            Self::Passing(body) => body.size_hint(),
        }
    }
}
