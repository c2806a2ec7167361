//! The body of a provider's answer, whose beginning may have been read ahead: an error can come with status 200, and
//! only the body tells. The part that was read ahead passes first, unchanged.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::StatusCode;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use keyway_providers::failed_with;
use serde::de::IgnoredAny;

use super::{
    reading::{Look, begun},
    sse::Sse,
};

/// Longest wait for the first event of an answer that has begun. Providers with a queue send comments meanwhile, and
/// their callers wait for the head.
const AHEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Largest part of an answer that is read ahead, in bytes; errors are shorter.
const MAX_AHEAD_BYTES: usize = 16 << 10;
/// Largest part of an error that is read, in bytes.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// A body, with the pieces that were read ahead.
pub(crate) struct Arriving {
    ahead: VecDeque<Bytes>,
    from: Incoming,
    /// End of the body, if it was reached while reading ahead.
    end: Option<Result<(), hyper::Error>>,
}

impl Arriving {
    /// Builds a body of which nothing was read.
    pub(super) const fn new(from: Incoming) -> Self {
        Self { ahead: VecDeque::new(), from, end: None }
    }

    /// Returns the status that the answer should have had, and the error's text, if its first event or the whole body
    /// is an error.
    pub(super) async fn failure(&mut self) -> Option<(StatusCode, Bytes)> {
        // What takes longer passes as it comes.
        tokio::time::timeout(AHEAD_TIMEOUT, self.first()).await.ok().flatten()
    }

    /// Returns an error's text, up to a limit.
    pub(super) async fn error_text(&mut self) -> Bytes {
        let reading = async {
            let mut bytes = 0;
            while let (true, Some(piece)) = (bytes < MAX_ERROR_BYTES, self.read().await) {
                bytes += piece.len();
            }
        };
        let _ = tokio::time::timeout(AHEAD_TIMEOUT, reading).await;
        self.text()
    }

    async fn first(&mut self) -> Option<(StatusCode, Bytes)> {
        let (mut look, mut sse, mut bytes) = (Look::Unknown, Sse::default(), 0);
        while bytes < MAX_AHEAD_BYTES {
            let Some(piece) = self.read().await else {
                return if look == Look::Json { failure(self.text()) } else { None };
            };
            bytes += piece.len();
            let mut piece = &piece[..];
            if look == Look::Unknown {
                (look, piece) = (Look::of(piece), begun(piece));
            }
            match look {
                Look::Events => {
                    let mut first = None;
                    sse.push(piece, |block| {
                        if let (None, Some(data)) = (&first, block.data) {
                            let text = || Bytes::copy_from_slice(data.text());
                            first = Some(meant(data.text(), block.is_error).map(|status| (status, text())));
                        }
                    });
                    if let Some(failure) = first {
                        return failure;
                    }
                }
                Look::Json if self.from.is_end_stream() => return failure(self.text()),
                Look::Json => {
                    if let Some(first) = first_document(self.text()) {
                        return failure(first);
                    }
                }
                Look::Unknown => {}
                Look::Opaque => return None,
            }
        }
        None
    }

    /// Reads a piece and keeps it; `None`: the body has ended.
    async fn read(&mut self) -> Option<Bytes> {
        while self.end.is_none() {
            match self.from.frame().await {
                // Trailers are dropped: they were not checked like headers.
                Some(Ok(frame)) => {
                    let Ok(piece) = frame.into_data() else { continue };
                    self.ahead.push_back(piece.clone());
                    return Some(piece);
                }
                Some(Err(error)) => self.end = Some(Err(error)),
                None => self.end = Some(Ok(())),
            }
        }
        None
    }

    fn text(&self) -> Bytes {
        match self.ahead.iter().collect::<Vec<_>>().as_slice() {
            [] => Bytes::new(),
            [one] => (*one).clone(),
            several => several.iter().flat_map(|piece| piece.iter().copied()).collect(),
        }
    }
}

/// Returns the first of one or more documents, or elements of a list, if it is complete; others may follow.
fn first_document(text: Bytes) -> Option<Bytes> {
    let before = text.len() - begun(&text).len();
    let start = before + usize::from(text.get(before) == Some(&b'['));
    let mut documents = serde_json::Deserializer::from_slice(&text[start..]).into_iter::<IgnoredAny>();
    documents.next()?.ok()?;
    let end = start + documents.byte_offset();
    Some(text.slice(start..end))
}

fn failure(text: Bytes) -> Option<(StatusCode, Bytes)> {
    Some((meant(&text, false)?, text))
}

/// Returns the status that a text should have had, if it is an error.
fn meant(text: &[u8], is_called_error: bool) -> Option<StatusCode> {
    let status = failed_with(begun(text)).or(is_called_error.then_some(500))?;
    StatusCode::from_u16(status).ok()
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        if let Some(piece) = this.ahead.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        match this.end.take() {
            Some(Err(error)) => Poll::Ready(Some(Err(error))),
            Some(Ok(())) => Poll::Ready(None),
            None => Pin::new(&mut this.from).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ahead.is_empty() && !matches!(self.end, Some(Err(_))) && self.from.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let ahead = self.ahead.iter().map(|piece| piece.len() as u64).sum::<u64>();
        let mut hint = self.from.size_hint();
        if let Some(exact) = hint.exact() {
            hint.set_exact(exact + ahead);
        }
        hint
    }
}
