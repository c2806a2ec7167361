//! The answer on its way to the caller: passes chunks as they come, reads their figures, and closes the call's record
//! when the last one has passed.
//!
//! Must never end a broken answer as if it were complete: an event stream gets an error event, and is then broken off
//! like any other answer.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use keyway_providers::Ending;
use tokio::time::Sleep;

use super::{arriving::Arriving, caller_side::Caller, meter::Meter, redact::Redactor, replay::Recorder};
use crate::{client::pool::Carrying, ledger::record::Record};
use keyway_http::Flushed;

/// Longest silence of a provider in the middle of an answer.
const SILENCE: Duration = Duration::from_secs(10 * 60);

/// Body of every answer of the proxy.
pub struct ProxyBody(Kind);

enum Kind {
    Whole(Option<Bytes>),
    Relayed(Box<Relay>),
}

/// A provider's answer that is passed on.
pub(super) struct Relay {
    from: Arriving,
    /// Connection that the answer comes on. Released when the relay is dropped: only then another call can have it.
    _connection: Carrying,
    meter: Meter,
    /// Record of the call; `None` once the answer is over.
    record: Option<Record>,
    /// Fires at the end of the silence that began at `heard`, or earlier: it is reset only when it fires.
    timer: Pin<Box<Sleep>>,
    heard: Instant,
    /// Search for the provider's key, where the integration asks for it.
    redactor: Option<Redactor>,
    /// Recorder for the answer cache.
    recorder: Option<Recorder>,
    caller: Caller,
    /// Set when the answer is to be broken off as soon as its last event is flushed.
    breaks_off: Option<Flushed>,
}

impl ProxyBody {
    /// Builds a body that is complete.
    pub(crate) const fn whole(body: Bytes) -> Self {
        Self(Kind::Whole(Some(body)))
    }

    /// Builds the body of an answer that is passed on. `timer` is any timer that is free for reuse.
    pub(crate) fn relayed(
        (from, connection): (Arriving, Carrying),
        meter: Meter,
        mut record: Record,
        timer: Pin<Box<Sleep>>,
        caller: Caller,
    ) -> Self {
        let heard = Instant::now();
        if from.is_end_stream() {
            record.first_byte(heard);
            record.complete();
            return Self(Kind::Whole(None));
        }
        Self(Kind::Relayed(Box::new(Relay {
            from,
            _connection: connection,
            meter,
            record: Some(record),
            timer,
            heard,
            redactor: None,
            recorder: None,
            caller,
            breaks_off: None,
        })))
    }

    /// Searches the body for the provider's key while it passes.
    pub(crate) fn redacted(mut self, redactor: Option<Redactor>) -> Self {
        if let Kind::Relayed(relay) = &mut self.0 {
            relay.redactor = redactor;
        }
        self
    }

    /// Records the body while it passes.
    pub(super) fn recorded(mut self, recorder: Recorder) -> Self {
        if let Kind::Relayed(relay) = &mut self.0 {
            relay.recorder = Some(recorder);
        }
        self
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
                    let last = self.end();
                    if !last.is_empty() {
                        return Poll::Ready(Some(Ok(last)));
                    }
                }
                Poll::Ready(Some(Err(_))) => {
                    if let Some(last) = self.broken("the connection broke off") {
                        return Poll::Ready(Some(Ok(last)));
                    }
                }
                Poll::Pending => {
                    ready!(self.timer.as_mut().poll(cx));
                    if self.heard.elapsed() < SILENCE {
                        self.timer.as_mut().reset((self.heard + SILENCE).into());
                    } else if let Some(last) = self.broken("it was silent for too long") {
                        return Poll::Ready(Some(Ok(last)));
                    }
                }
            }
        }
        let Some(flushed) = &mut self.breaks_off else { return Poll::Ready(None) };
        ready!(flushed.poll(cx));
        self.breaks_off = None;
        Poll::Ready(Some(Err(io::Error::other("the provider's answer broke off"))))
    }

    fn pass(&mut self, data: Bytes) -> Bytes {
        let Some(record) = &mut self.record else { return data };
        self.heard = Instant::now();
        record.first_byte(self.heard);
        let mut passed = self.meter.pass(data);
        if let Some(redactor) = &mut self.redactor {
            passed = redactor.pass(passed);
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.see(&passed);
        }
        if !self.from.is_end_stream() {
            return passed;
        }
        // The server may not ask again after the last byte of a body of known length.
        let last = self.end();
        if last.is_empty() { passed } else { [passed, last].concat().into() }
    }

    /// Ends the provider's answer: meters it and closes the record. An answer without the end mark of its shape gets an
    /// error event, and is broken off if there is no such event or SDKs ignore it.
    fn end(&mut self) -> Bytes {
        let Some(mut record) = self.record.take() else { return Bytes::new() };
        let (mut held_back, ending) = self.meter.finish(&mut record, &self.caller);
        if let Some(redactor) = &mut self.redactor {
            held_back = [redactor.pass(held_back), redactor.finish()].concat().into();
        }
        match ending {
            Ending::Whole => {
                record.complete();
                if let Some(mut recorder) = self.recorder.take() {
                    recorder.see(&held_back);
                    recorder.end();
                }
                held_back
            }
            // The caller has the provider's own words for it.
            Ending::Failed => held_back,
            Ending::Cut => {
                tracing::debug!(provider = record.upstream().meters.label, "a provider's answer ended before its end");
                let event = self.last_event();
                if event.is_none() || !self.caller.reader.heeds_events() {
                    self.breaks_off = Some(self.caller.traffic.flushed());
                }
                event.unwrap_or(held_back)
            }
        }
    }

    /// Closes the record of an answer that broke off. Returns the error event for a caller that reads events.
    fn broken(&mut self, how: &'static str) -> Option<Bytes> {
        if let Some(mut record) = self.record.take() {
            tracing::debug!(provider = record.upstream().meters.label, how, "a provider's answer broke off");
            self.meter.finish(&mut record, &self.caller);
        }
        // Once everything that has come has gone out.
        self.breaks_off = Some(self.caller.traffic.flushed());
        self.last_event()
    }

    /// Returns the error event that ends a broken stream, if its shape has one.
    fn last_event(&self) -> Option<Bytes> {
        let Meter::Figures(passage) = &self.meter else { return None };
        // Of a body of known length there is nothing left that could be an event.
        let closing = passage.closing().filter(|_| self.from.size_hint().exact().is_none())?;
        let event = self.caller.reader.last_event(passage.reading.figures.next_number());
        Some([closing.as_bytes(), &event].concat().into())
    }
}

impl Drop for Relay {
    /// Closes the record if the caller left: the figures that have passed count.
    fn drop(&mut self) {
        if let Some(mut record) = self.record.take()
            && matches!(self.meter, Meter::Figures(_) | Meter::Compressed(_))
        {
            self.meter.finish(&mut record, &self.caller);
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
            Kind::Relayed(relay) => relay.record.is_none() && relay.breaks_off.is_none(),
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
