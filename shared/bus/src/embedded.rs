//! The bus inside one process: channels for speed, the journal (the outbox table) for durability.
//!
//! A row stays in the journal until its message was acked, so a kill loses nothing: at the next start every
//! row is handed over again. Nothing here may forget a message whose row is still in the journal.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use async_trait::async_trait;
use keyway_domain::{Lane, Message, Notice, Route};
use tokio_util::sync::CancellationToken;

use crate::{
    Bus, BusError, ConsumeOptions, DeadLetterStream, Handover, Health, InvalidationSignal, InvalidationStream, Journal,
    LaneDepth, LaneHealth, NoticeSignal, NoticeStream, Outgoing, Source,
    embedded_inner::{INVALIDATIONS, Inner},
    embedded_source,
};

/// Interval at which a waiting relay polls, should it miss a wake-up.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The in-process bus.
#[derive(Debug)]
pub struct EmbeddedBus(Arc<Inner>);

impl EmbeddedBus {
    /// Builds a bus whose lanes hold at most `lane_capacity` messages each. Must be called within a tokio runtime.
    #[must_use]
    pub fn new(journal: Arc<dyn Journal>, lane_capacity: usize) -> Self {
        Self(Arc::new(Inner::new(journal, lane_capacity)))
    }
}

#[async_trait]
impl Bus for EmbeddedBus {
    async fn publish(&self, messages: &[Message]) -> Result<(), BusError> {
        let (stored, signals): (Vec<_>, Vec<_>) =
            messages.iter().partition(|message| message.route() != Route::Invalidate);
        if !stored.is_empty() {
            self.0.append(stored.into_iter().cloned().collect()).await?;
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
            let _ = tokio::time::timeout(LOOK_AGAIN, self.0.freed()).await;
        }
    }

    fn consume(&self, lane: Lane, options: ConsumeOptions, stop: &CancellationToken) -> Source {
        embedded_source::consume(&self.0, lane, options, stop)
    }

    fn dead_letters(&self, stop: &CancellationToken) -> DeadLetterStream {
        embedded_source::dead_letters(&self.0, stop)
    }

    fn invalidations(&self) -> InvalidationStream {
        InvalidationStream::new(self.0.subscribe())
    }

    fn notify(&self, notices: Vec<Notice>) {
        if !notices.is_empty() {
            // Nobody listening is nothing to do.
            let _ = self.0.notices.send(NoticeSignal::Changed(notices));
        }
    }

    fn notices(&self) -> NoticeStream {
        NoticeStream::new(self.0.notices.subscribe())
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
