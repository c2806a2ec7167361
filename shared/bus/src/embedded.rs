//! The bus inside one process: channels for speed, the journal (the outbox table) for durability.
//!
//! A row stays in the journal until its message was acked, so a kill loses nothing: at the next start every
//! row is handed over again. Nothing here may forget a message whose row is still in the journal.

use std::{
    collections::HashSet,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use keyway_domain::{Lane, Message, MessageId, Route};
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;

use crate::{
    Bus, BusError, ConsumeOptions, DeadLetterStream, DeadReason, Handover, Health, InvalidationSignal,
    InvalidationStream, Journal, LaneDepth, LaneHealth, Outgoing, Source, batch::Batcher, embedded_source,
    lane_map::LaneMap,
};

/// Number of invalidations that a cache may lag behind before it must drop everything.
const INVALIDATIONS: usize = 1024;
/// Interval at which a waiting relay polls, should it miss a wake-up.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The in-process bus.
#[derive(Debug)]
pub struct EmbeddedBus(Arc<Inner>);

/// One message in memory; its row is in the journal.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) id: MessageId,
    pub(crate) lane: Lane,
    pub(crate) body: Vec<u8>,
    pub(crate) redelivered: bool,
    pub(crate) crashes: u32,
    pub(crate) dead: Option<(DeadReason, String)>,
}

pub(crate) type Channel = (flume::Sender<Waiting>, flume::Receiver<Waiting>);

pub(crate) struct Inner {
    pub(crate) lanes: LaneMap<Channel>,
    pub(crate) dead: LaneMap<Channel>,
    pub(crate) consumers: LaneMap<AtomicUsize>,
    /// Ids of all messages in memory, in any state: they bound the lane, and keep a row that is handed over twice a
    /// single message.
    held: LaneMap<Mutex<HashSet<MessageId>>>,
    lane_capacity: usize,
    freed: Notify,
    append: Batcher<Message>,
    remove: Batcher<MessageId>,
    invalidations: broadcast::Sender<InvalidationSignal>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedBus").field("lane_capacity", &self.lane_capacity).finish_non_exhaustive()
    }
}

impl EmbeddedBus {
    /// Builds a bus whose lanes hold at most `lane_capacity` messages each. Must be called within a tokio runtime.
    #[must_use]
    pub fn new(journal: Arc<dyn Journal>, lane_capacity: usize) -> Self {
        let appending = Arc::clone(&journal);
        Self(Arc::new(Inner {
            lanes: LaneMap::new(|_| flume::unbounded()),
            dead: LaneMap::new(|_| flume::unbounded()),
            consumers: LaneMap::new(|_| AtomicUsize::new(0)),
            held: LaneMap::new(|_| Mutex::new(HashSet::new())),
            lane_capacity,
            freed: Notify::new(),
            append: Batcher::new(move |messages| {
                let journal = Arc::clone(&appending);
                Box::pin(async move { journal.append(&messages).await })
            }),
            remove: Batcher::new(move |ids| {
                let journal = Arc::clone(&journal);
                Box::pin(async move { journal.remove(&ids).await })
            }),
            invalidations: broadcast::Sender::new(INVALIDATIONS),
        }))
    }
}

impl Inner {
    /// Removes the row, and only then forgets the message.
    pub(crate) async fn remove(&self, lane: Lane, id: MessageId) -> Result<(), BusError> {
        self.remove.submit(vec![id]).await?;
        self.held[lane].lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        self.freed.notify_waiters();
        Ok(())
    }

    fn room(&self, lane: Lane) -> usize {
        let held = self.held[lane].lock().unwrap_or_else(PoisonError::into_inner).len();
        self.lane_capacity.saturating_sub(held)
    }

    fn take(&self, row: Outgoing) -> Result<Handover, BusError> {
        let Route::Lane(lane) = row.route else {
            self.signal(InvalidationSignal::decode(&row.body));
            return Ok(Handover::Done);
        };
        let mut held = self.held[lane].lock().unwrap_or_else(PoisonError::into_inner);
        if held.contains(&row.id) {
            return Ok(Handover::InFlight);
        }
        if held.len() >= self.lane_capacity {
            return Err(BusError::Full(lane));
        }
        let waiting = Waiting { id: row.id, lane, body: row.body, redelivered: false, crashes: 0, dead: None };
        self.lanes[lane].0.send(waiting).map_err(|_| BusError::Closed)?;
        held.insert(row.id);
        Ok(Handover::InFlight)
    }

    fn signal(&self, signal: InvalidationSignal) {
        // Nobody listening is nothing to do.
        let _ = self.invalidations.send(signal);
    }
}

#[async_trait]
impl Bus for EmbeddedBus {
    async fn publish(&self, messages: &[Message]) -> Result<(), BusError> {
        let (stored, signals): (Vec<_>, Vec<_>) =
            messages.iter().partition(|message| message.route() != Route::Invalidate);
        if !stored.is_empty() {
            self.0.append.submit(stored.into_iter().cloned().collect()).await?;
        }
        for message in signals {
            self.0.signal(InvalidationSignal::of(message));
        }
        Ok(())
    }

    async fn relay(&self, rows: Vec<Outgoing>) -> Vec<Result<Handover, BusError>> {
        rows.into_iter().map(|row| self.0.take(row)).collect()
    }

    fn capacity(&self, route: Route) -> usize {
        match route {
            Route::Lane(lane) => self.0.room(lane),
            Route::Invalidate => INVALIDATIONS,
        }
    }

    async fn ready(&self, route: Route) {
        while self.capacity(route) == 0 {
            // A wake-up between the look and the wait is caught by looking again.
            let _ = tokio::time::timeout(LOOK_AGAIN, self.0.freed.notified()).await;
        }
    }

    fn consume(&self, lane: Lane, options: ConsumeOptions, stop: &CancellationToken) -> Source {
        embedded_source::consume(&self.0, lane, options, stop)
    }

    fn dead_letters(&self, stop: &CancellationToken) -> DeadLetterStream {
        embedded_source::dead_letters(&self.0, stop)
    }

    fn invalidations(&self) -> InvalidationStream {
        InvalidationStream::new(self.0.invalidations.subscribe())
    }

    /// Never returns: messages in memory are lost only with the process.
    async fn lost(&self) {
        std::future::pending().await
    }

    fn health(&self) -> Health {
        let lanes = Lane::ALL.into_iter().filter(|lane| self.0.consumers[*lane].load(Ordering::Relaxed) > 0);
        Health {
            connected: true,
            lanes: lanes.map(|lane| LaneHealth { lane, consuming: true }).collect(),
            ..Health::default()
        }
    }

    async fn depths(&self) -> Result<Vec<LaneDepth>, BusError> {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        Ok(Lane::ALL
            .into_iter()
            .map(|lane| LaneDepth {
                lane,
                waiting: count(self.0.lanes[lane].1.len()),
                dead: count(self.0.dead[lane].1.len()),
                consumers: count(self.0.consumers[lane].load(Ordering::Relaxed)),
            })
            .collect())
    }

    async fn waiting(&self, lane: Lane) -> Result<u64, BusError> {
        Ok(u64::try_from(self.0.lanes[lane].1.len()).unwrap_or(u64::MAX))
    }
}
