//! A connection to a host that may send only so much besides answers: interim heads (1xx) and blank lines before an
//! answer, frames that bring no call anything. HTTP libraries read such things for as long as they come, without
//! handing them to anybody who could stop.
//!
//! It must never change a byte, nor look at what follows the beginning of a final head.

mod http1;
mod http2;
mod piece;

use std::{
    error::Error,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use self::{
    http1::Http1,
    http2::Http2,
    piece::{Flood, Piece},
};

/// A connection under these bounds.
pub struct Bounded<S> {
    stream: S,
    protocol: Protocol,
    /// `true` to let others have their turn before the next read.
    yields: bool,
}

enum Protocol {
    Http1(Http1),
    Http2(Box<Http2>),
}

impl<S: Connection> Bounded<S> {
    /// Bounds a connection whose protocol is agreed.
    pub fn new(stream: S) -> Self {
        let is_http2 = stream.connected().is_negotiated_h2();
        let protocol = if is_http2 { Protocol::Http2(Box::default()) } else { Protocol::Http1(Http1::default()) };
        Self { stream, protocol, yields: false }
    }
}

/// Returns `true` if a call failed because its host sent more before an answer than [`Bounded`] allows.
#[must_use]
pub fn is_flood(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        // HTTP/2's library keeps nothing of an error but its kind, which no socket has.
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::QuotaExceeded) {
            return true;
        }
        cause = error.source();
    }
    false
}

impl<S> Bounded<S> {
    fn see(&mut self, piece: &[u8]) -> io::Result<()> {
        let seen = match &mut self.protocol {
            Protocol::Http1(http1) => http1.received(piece),
            Protocol::Http2(http2) => http2.received(piece),
        };
        match seen {
            Ok(seen) => self.yields = seen == Piece::Idle,
            Err(Flood) => {
                return Err(io::Error::new(io::ErrorKind::QuotaExceeded, "the host sent too much before an answer"));
            }
        }
        Ok(())
    }

    fn wrote<'b>(&mut self, pieces: impl Iterator<Item = &'b [u8]>, mut count: usize) {
        match &mut self.protocol {
            Protocol::Http1(http1) => http1.sent(),
            Protocol::Http2(http2) => {
                for piece in pieces {
                    let of_it = count.min(piece.len());
                    http2.sent(&piece[..of_it]);
                    count -= of_it;
                }
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if std::mem::take(&mut this.yields) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        match read {
            Poll::Ready(Ok(())) => Poll::Ready(this.see(&buf.filled()[before..])),
            other => other,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(count)) = written {
            this.wrote([buf].into_iter(), count);
        }
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        if let Poll::Ready(Ok(count)) = written {
            this.wrote(bufs.iter().map(|buf| &**buf), count);
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl<S: Connection> Connection for Bounded<S> {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}
