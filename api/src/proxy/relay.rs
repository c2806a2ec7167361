//! The answer on its way to the caller: passes chunks as they come, reads their figures, and closes
//! the call's record when the last one has passed.
//!
//! Must never end a broken answer as if it were whole: a stream of events gets an error event, any
//! other answer is broken off.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::Sleep;

use super::{
    events::Events,
    links::Links,
    pool::Carrying,
    record::Record,
    redact::Redactor,
    refusal::{Code, Refusal, Shape},
    replay::Recorder,
    tee::Tee,
};

/// How long a provider may be silent in the middle of an answer.
const SILENCE: Duration = Duration::from_secs(10 * 60);

/// The body of every answer of the proxy.
pub struct ProxyBody(Kind);

enum Kind {
    Whole(Option<Bytes>),
    Relayed(Box<Relay>),
}

/// How an answer is metered.
pub(super) enum Meter {
    /// It carries no figures.
    Silent,
    /// One JSON document.
    Json(Tee),
    /// Server-sent events.
    Events(Events),
    /// It carries no figures, but addresses that the caller must not follow past Keyway.
    Links(Links),
    /// An error, which may quote the provider's key and carries no figures.
    Error(Redactor),
}

/// A provider's answer that is being passed on.
pub(super) struct Relay {
    from: Incoming,
    /// What it comes on. Dropped after it: only then another call can have it.
    _connection: Carrying,
    meter: Meter,
    /// `None` when the answer is over.
    record: Option<Record>,
    /// Fires at the end of the silence that began at `heard`, or earlier: it is only moved when it fires.
    timer: Pin<Box<Sleep>>,
    heard: Instant,
    /// Keeps what passes, for who asks for the same again.
    recorder: Option<Recorder>,
}

impl ProxyBody {
    /// A body that is there already.
    pub(super) const fn whole(body: Bytes) -> Self {
        Self(Kind::Whole(Some(body)))
    }

    /// An answer that is passed on. `timer` is any timer that is not needed any more.
    pub(super) fn relayed(
        (from, connection): (Incoming, Carrying),
        meter: Meter,
        mut record: Record,
        timer: Pin<Box<Sleep>>,
    ) -> Self {
        let heard = Instant::now();
        if from.is_end_stream() {
            record.first_byte(heard);
            record.complete();
            return Self(Kind::Whole(None));
        }
        let record = Some(record);
        Self(Kind::Relayed(Box::new(Relay {
            from,
            _connection: connection,
            meter,
            record,
            timer,
            heard,
            recorder: None,
        })))
    }

    /// The same, recorded while it passes.
    pub(super) fn recorded(mut self, recorder: Recorder) -> Self {
        if let Kind::Relayed(relay) = &mut self.0 {
            relay.recorder = Some(recorder);
        }
        self
    }
}

impl Meter {
    /// Whether what passes may get another length.
    pub(super) const fn rewrites(&self) -> bool {
        match self {
            Self::Events(events) => events.rewrites(),
            Self::Links(_) => true,
            Self::Silent | Self::Json(_) | Self::Error(_) => false,
        }
    }
}

impl Relay {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        while self.record.is_some() {
            match Pin::new(&mut self.from).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers are dropped: they were not checked like headers.
                    let Ok(data) = frame.into_data() else { continue };
                    let passed = self.pass(data);
                    if !passed.is_empty() {
                        return Poll::Ready(Some(Ok(passed)));
                    }
                }
                Poll::Ready(None) => {
                    let held_back = self.end();
                    if !held_back.is_empty() {
                        return Poll::Ready(Some(Ok(held_back)));
                    }
                }
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Some(self.broken("the connection broke off"))),
                Poll::Pending => {
                    ready!(self.timer.as_mut().poll(cx));
                    if self.heard.elapsed() >= SILENCE {
                        return Poll::Ready(Some(self.broken("it was silent for too long")));
                    }
                    self.timer.as_mut().reset((self.heard + SILENCE).into());
                }
            }
        }
        Poll::Ready(None)
    }

    fn pass(&mut self, data: Bytes) -> Bytes {
        let Some(record) = &mut self.record else { return data };
        self.heard = Instant::now();
        record.first_byte(self.heard);
        let passed = match &mut self.meter {
            Meter::Silent => data,
            Meter::Json(tee) => {
                tee.see(&data);
                data
            }
            Meter::Events(events) => events.pass(&*record.upstream().ways, data),
            Meter::Links(links) => links.pass(&data),
            Meter::Error(redactor) => redactor.pass(data),
        };
        if let Some(recorder) = &mut self.recorder {
            recorder.see(&passed);
        }
        if !self.from.is_end_stream() {
            return passed;
        }
        // The server may not ask again after the last byte of a body of known length.
        let held_back = self.end();
        if held_back.is_empty() { passed } else { [passed, held_back].concat().into() }
    }

    /// The provider's answer came to its end: meters it and closes the record.
    fn end(&mut self) -> Bytes {
        let Some(mut record) = self.record.take() else { return Bytes::new() };
        let held_back = self.read_figures(&mut record);
        record.complete();
        if let Some(mut recorder) = self.recorder.take() {
            recorder.see(&held_back);
            recorder.end();
        }
        held_back
    }

    fn read_figures(&mut self, record: &mut Record) -> Bytes {
        let ways = &*record.upstream().ways;
        let (held_back, metered) = match &mut self.meter {
            Meter::Silent => return Bytes::new(),
            Meter::Links(links) => return links.finish(),
            Meter::Error(redactor) => return redactor.finish(),
            Meter::Json(tee) => (Bytes::new(), tee.metered(ways, record.path())),
            Meter::Events(events) => (events.finish(ways), std::mem::take(&mut events.metered)),
        };
        record.metered(metered);
        held_back
    }

    /// The answer broke off: closes the record as it is.
    fn broken(&mut self, how: &'static str) -> io::Result<Bytes> {
        let mut shape = Shape::OpenAi;
        if let Some(mut record) = self.record.take() {
            shape = Shape::of(record.path());
            tracing::debug!(provider = record.upstream().meters.label, how, "a provider's answer broke off");
            self.read_figures(&mut record);
        }
        if !matches!(self.meter, Meter::Events(_)) || self.from.size_hint().exact().is_some() {
            return Err(io::Error::other("the provider's answer broke off"));
        }
        let refusal = Refusal::new(Code::UpstreamMidStream, "the provider's answer broke off before its end");
        // The blank line first: what came last may be half an event.
        Ok([&b"\n\nevent: error\ndata: "[..], &refusal.body(shape), b"\n\n"].concat().into())
    }
}

impl Drop for Relay {
    /// The caller left: the figures that have passed by then count.
    fn drop(&mut self) {
        if let Some(mut record) = self.record.take()
            && matches!(self.meter, Meter::Events(_))
        {
            self.read_figures(&mut record);
        }
    }
}

impl Body for ProxyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let polled = match &mut self.get_mut().0 {
            Kind::Whole(body) => Poll::Ready(body.take().filter(|body| !body.is_empty()).map(Ok)),
            Kind::Relayed(relay) => relay.poll(cx),
        };
        polled.map(|next| next.map(|data| data.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(body) => body.as_ref().is_none_or(Bytes::is_empty),
            Kind::Relayed(relay) => relay.record.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(body) => SizeHint::with_exact(body.as_ref().map_or(0, Bytes::len) as u64),
            Kind::Relayed(relay) if relay.meter.rewrites() => SizeHint::default(),
            Kind::Relayed(relay) => relay.from.size_hint(),
        }
    }
}
