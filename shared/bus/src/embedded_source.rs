//! Consuming the embedded bus: a lane's pump, the dead letters, and how a delivery is settled.
//!
//! A message leaves memory only after its row left the journal.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures::{StreamExt as _, stream::select_all};
use keyway_domain::{DeadReason, Lane, Message};
use tokio::{runtime::Handle, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    BusError, ConsumeOptions, DeadLetter, DeadLetterStream, Delivery, Source,
    backoff::Backoff,
    embedded_inner::{Inner, Waiting},
    settle::{Settle, Ticket},
    source::Feed,
    task,
};

/// Time for which an ack tries to remove its row before the message is delivered again instead.
const ACK_DEADLINE: Duration = Duration::from_secs(10);
const DEAD_REST: Duration = Duration::from_secs(1);

pub(crate) fn consume(inner: &Arc<Inner>, lane: Lane, options: ConsumeOptions, stop: &CancellationToken) -> Source {
    let inner = Arc::clone(inner);
    inner.consumers[lane].fetch_add(1, Ordering::Relaxed);
    Source::new(options, stop, |feed| task::spawn(pump(inner, lane, feed)))
}

pub(crate) fn dead_letters(inner: &Arc<Inner>, stop: &CancellationToken) -> DeadLetterStream {
    let (sender, receiver) = flume::bounded(1);
    let (inner, stop) = (Arc::clone(inner), stop.clone());
    task::spawn(async move {
        let mut dead = select_all(Lane::ALL.map(|lane| inner.dead[lane].1.clone().into_stream()));
        while let Some(Some(waiting)) = stop.run_until_cancelled(dead.next()).await {
            let letter = letter(&inner, waiting);
            if !matches!(stop.run_until_cancelled(sender.send_async(letter)).await, Some(Ok(()))) {
                break;
            }
        }
    });
    DeadLetterStream(receiver)
}

async fn pump(inner: Arc<Inner>, lane: Lane, feed: Feed) {
    let waiting = inner.lanes[lane].1.clone();
    while let Some(Ok(waiting)) = feed.stop.run_until_cancelled(waiting.recv_async()).await {
        accept(&inner, waiting, &feed).await;
    }
    inner.consumers[lane].fetch_sub(1, Ordering::Relaxed);
    feed.finish().await;
}

async fn accept(inner: &Arc<Inner>, mut waiting: Waiting, feed: &Feed) {
    let lane = waiting.lane;
    let (reason, error) = match Message::decode(&waiting.body) {
        Ok(message) if waiting.crashes < feed.options.crash_limit => {
            let delivery = Delivery { message, lane, redelivered: waiting.redelivered, crashes: waiting.crashes };
            let ticket = EmbeddedTicket::new(inner, waiting, feed.options.put_back_delay);
            return feed.deliver(delivery, Ticket::new(ticket)).await;
        }
        Ok(_) => (DeadReason::Crashed, format!("put back {} times without an ack", waiting.crashes)),
        Err(error) => (DeadReason::of(&error), error.to_string()),
    };
    // Who files it says so aloud.
    tracing::debug!(%lane, id = %waiting.id, reason = reason.name(), error, "a message is a dead letter");
    waiting.dead = Some((reason, error));
    // The bus holds the receiver too, so this cannot fail.
    let _ = inner.dead[lane].0.send(waiting);
}

fn letter(inner: &Arc<Inner>, waiting: Waiting) -> DeadLetter {
    let (reason, error) = waiting.dead.clone().unwrap_or((DeadReason::Malformed, String::new()));
    DeadLetter {
        lane: waiting.lane,
        reason,
        error,
        body: waiting.body.clone(),
        message_id: waiting.id,
        attempts: waiting.crashes,
        ticket: Ticket::new(EmbeddedTicket::new(inner, waiting, DEAD_REST)),
    }
}

#[derive(Debug)]
struct EmbeddedTicket {
    inner: Arc<Inner>,
    waiting: Mutex<Option<Waiting>>,
    rest: Duration,
    handled: AtomicBool,
}

impl EmbeddedTicket {
    fn new(inner: &Arc<Inner>, waiting: Waiting, rest: Duration) -> Self {
        Self { inner: Arc::clone(inner), waiting: Mutex::new(Some(waiting)), rest, handled: AtomicBool::new(false) }
    }

    fn take(&self) -> Option<Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put_back(inner: &Inner, waiting: Waiting) {
        let home = if waiting.dead.is_some() { &inner.dead } else { &inner.lanes };
        // The bus holds the receiver too, so this cannot fail.
        let _ = home[waiting.lane].0.send(waiting);
    }
}

#[async_trait]
impl Settle for EmbeddedTicket {
    async fn ack(&self) -> Result<(), BusError> {
        self.handled.store(true, Ordering::Relaxed);
        let held = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|w| (w.lane, w.id));
        let Some((lane, id)) = held else { return Err(BusError::Lost) };
        let deadline = Instant::now() + ACK_DEADLINE;
        let mut backoff = Backoff::new(Duration::from_millis(20), Duration::from_secs(1));
        while let Err(error) = self.inner.remove(lane, id).await {
            if Instant::now() >= deadline {
                return Err(error);
            }
            tracing::warn!(%lane, %id, %error, "an ack could not be written, trying again");
            tokio::time::sleep(backoff.next_pause()).await;
        }
        self.take();
        Ok(())
    }

    async fn give_back(&self) {
        if let Some(waiting) = self.take() {
            Self::put_back(&self.inner, waiting);
        }
    }
}

impl Drop for EmbeddedTicket {
    fn drop(&mut self) {
        let Some(mut waiting) = self.take() else { return };
        waiting.redelivered = true;
        if !self.handled.load(Ordering::Relaxed) {
            waiting.crashes = waiting.crashes.saturating_add(1);
        }
        let (inner, rest) = (Arc::clone(&self.inner), self.rest);
        if Handle::try_current().is_err() {
            return Self::put_back(&inner, waiting);
        }
        task::spawn(async move {
            tokio::time::sleep(rest).await;
            Self::put_back(&inner, waiting);
        });
    }
}
