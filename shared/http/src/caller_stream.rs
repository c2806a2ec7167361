//! The stream of a caller's connection, with deadlines for a peer that does not read an answer, for a request head that
//! is not completed, and for an idle connection. TCP alone lets a passive peer hold a connection, and with it the
//! provider's connection behind it, forever.
//!
//! The clock of a write runs only while the peer reads nothing, so a slow reader is never cut off.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use keyway_telemetry::metrics;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

use crate::traffic::Traffic;

/// Reason of a closed connection, in metrics.
pub(crate) const HEADER_TIMEOUT: &str = "header_timeout";

/// Time limits for inactive callers.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Time from the first byte of a request to the end of its head.
    pub head: Duration,
    /// Time between two requests, and before the first.
    pub idle: Duration,
    /// Time for which a write may be blocked.
    pub write: Duration,
}

/// A stream that ends when its peer is inactive for too long.
pub struct CallerStream<S> {
    stream: S,
    patience: Patience,
    traffic: Arc<Traffic>,
    /// Start of the current idle time, or of the current head.
    since: Instant,
    /// `true` once a part of a head has arrived.
    in_head: bool,
    /// Number of requests begun at the last check.
    begun: u64,
    reading: Pin<Box<Sleep>>,
    /// Timer of a blocked write.
    writing: Option<Pin<Box<Sleep>>>,
}

impl<S> CallerStream<S> {
    /// Wraps a connection that was just accepted.
    pub fn new(stream: S, patience: Patience, traffic: Arc<Traffic>) -> Self {
        let since = Instant::now();
        let reading = Box::pin(tokio::time::sleep_until(since + patience.idle));
        Self { stream, patience, traffic, since, in_head: false, begun: 0, reading, writing: None }
    }

    /// Notes that bytes have arrived.
    fn heard(&mut self) {
        self.look_at_traffic();
        // Where requests share the connection, bytes may be about it alone.
        if !self.traffic.is_idle() || self.traffic.is_shared() {
            self.since = Instant::now();
        } else if !self.in_head {
            (self.in_head, self.since) = (true, Instant::now());
        }
    }

    /// Notes requests that have begun: their heads are complete.
    fn look_at_traffic(&mut self) {
        let begun = self.traffic.begun();
        if begun != self.begun {
            (self.begun, self.in_head, self.since) = (begun, false, Instant::now());
        }
    }

    /// Returns `true` once the peer has been inactive for too long; otherwise wakes `cx` at that time.
    fn is_silent(&mut self, cx: &mut Context<'_>) -> bool {
        self.look_at_traffic();
        if !self.traffic.is_idle() {
            // The silence begins when the answer has ended: hyper reads on then.
            self.since = Instant::now();
            return false;
        }
        // Who connects has something to say.
        let is_new = self.begun == 0;
        let patience = if self.in_head || is_new { self.patience.head } else { self.patience.idle };
        let until = self.since + patience;
        loop {
            if self.reading.deadline() > until {
                self.reading.as_mut().reset(until);
            }
            if self.reading.as_mut().poll(cx).is_pending() {
                return false;
            }
            if Instant::now() >= until {
                return true;
            }
            self.reading.as_mut().reset(until);
        }
    }

    fn in_time<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.writing = None;
            return written;
        }
        let limit = self.patience.write;
        let writing = self.writing.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        writing.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for CallerStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        if read.is_ready() {
            if buf.filled().len() > before {
                this.heard();
            }
            return read;
        }
        if this.is_silent(cx) {
            if this.in_head {
                metrics().connections_refused.with_label_values(&[HEADER_TIMEOUT]).inc();
            }
            // As if the peer had gone: nothing is under way.
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for CallerStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.in_time(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.in_time(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        if flushed.is_ready() {
            this.traffic.note_flush();
        }
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
