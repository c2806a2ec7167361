//! Everything the embedded bus holds in memory: each lane's messages, and which rows of the journal they are.
//!
//! Never forgets a message whose row is still in the journal.

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicUsize},
};

use keyway_domain::{DeadReason, Lane, Message, MessageId, Route};
use tokio::sync::{Notify, broadcast};

use crate::{
    BusError, Handover, InvalidationSignal, Journal, NoticeSignal, Outgoing, batch::Batcher, lane_map::LaneMap,
};

/// Number of invalidations that a cache may lag behind before it must drop everything.
pub(crate) const INVALIDATIONS: usize = 1024;

/// Number of notices that a page's stream may lag behind before it is told of a gap.
const NOTICES: usize = 1024;

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
    pub(crate) notices: broadcast::Sender<NoticeSignal>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedBus").field("lane_capacity", &self.lane_capacity).finish_non_exhaustive()
    }
}

impl Inner {
    /// Empty lanes that hold at most `lane_capacity` messages each.
    pub(crate) fn new(journal: Arc<dyn Journal>, lane_capacity: usize) -> Self {
        let appending = Arc::clone(&journal);
        Self {
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
            notices: broadcast::Sender::new(NOTICES),
        }
    }

    /// Writes rows of the journal.
    pub(crate) async fn append(&self, messages: Vec<Message>) -> Result<(), BusError> {
        self.append.submit(messages).await
    }

    /// Returns when a lane may have room again.
    pub(crate) async fn freed(&self) {
        self.freed.notified().await;
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<InvalidationSignal> {
        self.invalidations.subscribe()
    }

    /// Removes the row, and only then forgets the message.
    pub(crate) async fn remove(&self, lane: Lane, id: MessageId) -> Result<(), BusError> {
        self.remove.submit(vec![id]).await?;
        self.held[lane].lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        self.freed.notify_waiters();
        Ok(())
    }

    pub(crate) fn room(&self, lane: Lane) -> usize {
        let held = self.held[lane].lock().unwrap_or_else(PoisonError::into_inner).len();
        self.lane_capacity.saturating_sub(held)
    }

    pub(crate) fn take(&self, row: Outgoing) -> Result<Handover, BusError> {
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

    pub(crate) fn signal(&self, signal: InvalidationSignal) {
        // Nobody listening is nothing to do.
        let _ = self.invalidations.send(signal);
    }
}
