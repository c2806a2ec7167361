//! Traffic on a caller's connection: the requests under way, and the time when all written bytes are flushed. The
//! stream and the requests share it.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64, AtomicUsize,
            Ordering::{AcqRel, Acquire, Relaxed, Release},
        },
    },
    task::{Context, Poll},
};

use futures::task::AtomicWaker;
use hyper::body::{Body, Frame, SizeHint};

/// The traffic of one connection.
#[derive(Default)]
pub struct Traffic {
    under_way: AtomicUsize,
    /// Number of requests begun so far.
    begun: AtomicU64,
    /// `true` if requests share the connection, or it has become a WebSocket: then bytes are no sign of a request.
    is_shared: AtomicBool,
    is_upgraded: AtomicBool,
    /// `true` once a request has shown a key, session or token that is good.
    is_known: AtomicBool,
    flushes: AtomicU64,
    waits: AtomicWaker,
}

/// A request under way, until dropped.
pub(crate) struct UnderWay(Arc<Traffic>);

/// Waits until everything written before is flushed.
pub struct Flushed {
    traffic: Arc<Traffic>,
    before: u64,
    has_waited: bool,
}

impl Traffic {
    /// Notes that a request has begun.
    pub(crate) fn begin(self: &Arc<Self>, is_shared: bool) -> UnderWay {
        if is_shared {
            self.is_shared.store(true, Relaxed);
        }
        self.begun.fetch_add(1, Relaxed);
        self.under_way.fetch_add(1, AcqRel);
        UnderWay(Arc::clone(self))
    }

    /// Notes that the connection has become a WebSocket.
    pub fn upgrade(&self) {
        self.is_upgraded.store(true, Relaxed);
    }

    /// Notes that a request has shown a key, session or token that is good.
    pub fn note_key(&self) {
        // Read first: the flag is set once, and asked for at each request.
        if !self.is_known.load(Relaxed) {
            self.is_known.store(true, Relaxed);
        }
    }

    /// Returns `true` if a request has shown who sends it.
    pub(crate) fn is_known(&self) -> bool {
        self.is_known.load(Relaxed)
    }

    /// Returns the number of requests begun so far.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Relaxed)
    }

    /// Returns `true` if no request is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.under_way.load(Acquire) == 0 && !self.is_upgraded.load(Relaxed)
    }

    /// Returns `true` if requests share the connection.
    pub(crate) fn is_shared(&self) -> bool {
        self.is_shared.load(Relaxed)
    }

    /// Notes that all written bytes are flushed.
    pub(crate) fn note_flush(&self) {
        self.flushes.fetch_add(1, Release);
        self.waits.wake();
    }

    /// Waits for the flush of the bytes about to be written.
    pub fn flushed(self: &Arc<Self>) -> Flushed {
        Flushed { traffic: Arc::clone(self), before: self.flushes.load(Acquire), has_waited: false }
    }
}

impl Flushed {
    /// Returns ready once everything is flushed; on a shared connection, whose writes are not this request's alone, at
    /// the second poll.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.traffic.is_shared() {
            if std::mem::replace(&mut self.has_waited, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.traffic.waits.register(cx.waker());
        if self.traffic.flushes.load(Acquire) > self.before { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, AcqRel);
    }
}

/// Body of an answer; its request is under way until the body is dropped.
pub(crate) struct Tracked<B> {
    body: B,
    #[expect(dead_code, reason = "held for its drop")]
    under_way: UnderWay,
}

impl<B> Tracked<B> {
    /// Wraps the body of the answer to this request.
    pub(crate) const fn new(body: B, under_way: UnderWay) -> Self {
        Self { body, under_way }
    }
}

impl<B: Body + Unpin> Body for Tracked<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
