//! What goes on on a caller's connection: which requests are under way, and when everything that was written has gone out.
//! Its stream and its requests look at it from both sides.

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
    /// Requests that have begun, ever.
    begun: AtomicU64,
    /// Whether requests share the connection, or it has become a WebSocket: then bytes are no sign of a request.
    is_shared: AtomicBool,
    is_upgraded: AtomicBool,
    flushes: AtomicU64,
    waits: AtomicWaker,
}

/// A request that is under way until it is dropped.
pub(crate) struct UnderWay(Arc<Traffic>);

/// Waits until all that was written before has gone out.
pub struct Flushed {
    traffic: Arc<Traffic>,
    before: u64,
    has_waited: bool,
}

impl Traffic {
    /// A request has come in.
    pub(crate) fn begin(self: &Arc<Self>, is_shared: bool) -> UnderWay {
        if is_shared {
            self.is_shared.store(true, Relaxed);
        }
        self.begun.fetch_add(1, Relaxed);
        self.under_way.fetch_add(1, AcqRel);
        UnderWay(Arc::clone(self))
    }

    /// The connection is no HTTP connection any more.
    pub fn upgrade(&self) {
        self.is_upgraded.store(true, Relaxed);
    }

    /// How many requests have begun.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Relaxed)
    }

    /// Whether nobody waits for anything.
    pub(crate) fn is_idle(&self) -> bool {
        self.under_way.load(Acquire) == 0 && !self.is_upgraded.load(Relaxed)
    }

    /// Whether requests share the connection.
    pub(crate) fn is_shared(&self) -> bool {
        self.is_shared.load(Relaxed)
    }

    /// All that was written has gone out.
    pub(crate) fn note_flush(&self) {
        self.flushes.fetch_add(1, Release);
        self.waits.wake();
    }

    /// Waits for what is about to be written.
    pub fn flushed(self: &Arc<Self>) -> Flushed {
        Flushed { traffic: Arc::clone(self), before: self.flushes.load(Acquire), has_waited: false }
    }
}

impl Flushed {
    /// Ready when all has gone out. On a shared connection, whose writes are not this request's alone, when there was an
    /// occasion for it.
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

/// The body of an answer, whose request is under way as long as it is there.
pub(crate) struct Tracked<B> {
    body: B,
    #[expect(dead_code, reason = "held for its drop")]
    under_way: UnderWay,
}

impl<B> Tracked<B> {
    /// The body of the answer to this request.
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
