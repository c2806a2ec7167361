//! The stream of a caller's connection, with its deadlines: for a peer that takes nothing of an answer, for a request whose
//! head does not come to its end, and for a connection on which nothing is asked for. TCP lets a peer that does nothing
//! hold a connection, and with it the provider's behind it, for ever.
//!
//! The clock of a write runs only while the peer takes nothing, so a slow reader is not a silent one.

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

/// Why a connection is refused, in metrics.
pub(crate) const HEADER_TIMEOUT: &str = "header_timeout";

/// How long a caller may do nothing.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Between the first byte of a request and the end of its head.
    pub head: Duration,
    /// Between two requests, and before the first.
    pub idle: Duration,
    /// While something waits to be written.
    pub write: Duration,
}

/// A stream that ends when its peer does nothing for too long.
pub struct CallerStream<S> {
    stream: S,
    patience: Patience,
    traffic: Arc<Traffic>,
    /// When the present silence, or the present head, began.
    since: Instant,
    /// Whether a part of a head has come.
    in_head: bool,
    /// Requests that had begun when this was looked at last.
    begun: u64,
    reading: Pin<Box<Sleep>>,
    /// Runs while a write waits.
    writing: Option<Pin<Box<Sleep>>>,
}

impl<S> CallerStream<S> {
    /// A connection that was just accepted.
    pub fn new(stream: S, patience: Patience, traffic: Arc<Traffic>) -> Self {
        let since = Instant::now();
        let reading = Box::pin(tokio::time::sleep_until(since + patience.idle));
        Self { stream, patience, traffic, since, in_head: false, begun: 0, reading, writing: None }
    }

    /// Notes that bytes have come.
    fn heard(&mut self) {
        self.look_at_traffic();
        // Where requests share the connection, bytes may be about it alone.
        if !self.traffic.is_idle() || self.traffic.is_shared() {
            self.since = Instant::now();
        } else if !self.in_head {
            (self.in_head, self.since) = (true, Instant::now());
        }
    }

    /// A request that has begun ends its head.
    fn look_at_traffic(&mut self) {
        let begun = self.traffic.begun();
        if begun != self.begun {
            (self.begun, self.in_head, self.since) = (begun, false, Instant::now());
        }
    }

    /// Ready when nothing has come for too long.
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
