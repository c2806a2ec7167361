//! The relay: from the outbox to the bus. The only publisher besides workers.
//!
//! Rows are claimed by flag, never by "greater than the last seen": sequences commit out of order. A row stays when the
//! bus has its message, as the durable copy, and is deleted in the transaction that commits its effect: a broker that
//! loses everything loses nothing. A row that is still there long after is handed over again. Each route has a loop of
//! its own, so a full lane holds no other up.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use keyway_bus::{Bus, Handover, Outgoing};
use keyway_domain::{MessageId, Route, Timestamp};
use keyway_store::{Store, StoreError, outbox};
use keyway_telemetry::{failpoint, metrics};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const MOST_ROWS: usize = 256;
const POLL: Duration = Duration::from_secs(1);
/// Shortest pause before a due row that another relay has claimed is looked for again.
const SOON: Duration = Duration::from_millis(20);
/// Number of messages waiting in a lane's queue above which the relay pauses. A queue of the broker is first come,
/// first served; further rows wait in the outbox, where tenants take turns.
const MOST_WAITING: u64 = MOST_ROWS as u64;
const LOOK: Duration = Duration::from_millis(20);
/// Time until a claim expires and another relay may take the row; longer than a publish can take to be confirmed.
const CLAIM: Duration = Duration::from_secs(30);
/// Age of a hand-over at which remaining rows are held; nearly every effect has committed by then and deleted its row.
const HELD_AFTER: Duration = Duration::from_secs(10);
/// Time for which a handed-over row is held before it is handed over again; longer than an attempt can take. The effect
/// is idempotent, however often the message comes.
const HELD: Duration = Duration::from_secs(300);
const PAUSE: Duration = Duration::from_millis(500);

/// Runs one loop per route until `stop`; a batch that was claimed is finished first.
pub(crate) async fn run(store: Store, bus: Arc<dyn Bus>, embedded: bool, stop: CancellationToken) {
    let wake = watch::Sender::new(());
    let loops = Route::ALL.map(|route| {
        let relay = Relay { store: store.clone(), bus: Arc::clone(&bus), route, embedded, handed: VecDeque::new() };
        relay.run(wake.subscribe(), stop.clone())
    });
    tokio::join!(futures::future::join_all(loops), wake_up(&store, &wake, &stop));
}

/// Passes the store's wake-ups on to every loop.
async fn wake_up(store: &Store, wake: &watch::Sender<()>, stop: &CancellationToken) {
    let listen = async {
        loop {
            match store.outbox_wakeups().await {
                Ok(mut wakeups) => {
                    while wakeups.next().await.is_ok() {
                        wake.send_replace(());
                    }
                }
                Err(error) => tracing::warn!(%error, "the relay cannot listen for new rows, it polls"),
            }
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::select! {
        () = listen => {}
        () = stop.cancelled() => {}
    }
}

struct Relay {
    store: Store,
    bus: Arc<dyn Bus>,
    route: Route,
    embedded: bool,
    /// Hand-overs by time, until their rows are held.
    handed: VecDeque<(Instant, Vec<MessageId>)>,
}

impl Relay {
    async fn run(mut self, mut wake: watch::Receiver<()>, stop: CancellationToken) {
        let (mut in_doubt, mut handed, mut clock) = (false, 0, Timestamp::now());
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.ready() => {}
            }
            wake.borrow_and_update();
            let result = match self.follow(&mut clock).await {
                Ok(()) => self.batch(in_doubt).await,
                Err(error) => Err(error),
            };
            in_doubt = result.is_err();
            let (pause, idle) = match result {
                Ok(Batch { claimed: 0, .. }) => (self.until_next().await, true),
                Ok(Batch { claimed, refused: 0 }) => {
                    handed += claimed;
                    if handed >= MOST_ROWS {
                        handed = 0;
                        let _ = stop.clone().run_until_cancelled(self.room()).await;
                    }
                    continue;
                }
                Ok(_) => (PAUSE, false),
                Err(error) => {
                    tracing::warn!(route = self.route.name(), %error, "the relay cannot read the outbox");
                    (POLL, true)
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
                _ = wake.changed(), if idle => {}
            }
        }
    }

    /// Waits until the bus takes rows of this route; meanwhile holds rows handed over earlier.
    async fn ready(&mut self) {
        loop {
            if let Err(error) = self.hold().await {
                tracing::warn!(route = self.route.name(), %error, "rows are not held, they are handed over again soon");
            }
            if tokio::time::timeout(POLL, self.bus.ready(self.route)).await.is_ok() {
                return;
            }
        }
    }

    /// Extends the claims of rows that remain [`HELD_AFTER`] after their hand-over: a worker still has their messages.
    async fn hold(&mut self) -> Result<(), StoreError> {
        while let Some((_, ids)) = self.handed.front().filter(|(at, _)| at.elapsed() >= HELD_AFTER) {
            let tx = self.store.system().await?;
            outbox::hold(&tx, ids, Timestamp::now().after(HELD)).await?;
            tx.commit().await?;
            self.handed.pop_front();
        }
        Ok(())
    }

    /// Follows the clock of this process, by which embedded rows are due: if the clock goes back, due times move with
    /// it.
    async fn follow(&self, clock: &mut Timestamp) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let back = clock.since(now);
        if self.embedded && back > POLL {
            let tx = self.store.system().await?;
            let rows = outbox::pull_back(&tx, self.route, now, back).await?;
            tx.commit().await?;
            tracing::warn!(route = self.route.name(), rows, back_seconds = back.as_secs(), "the clock went back");
        }
        *clock = now;
        Ok(())
    }

    /// Returns the time until the next row is due, at most until the next poll.
    async fn until_next(&self) -> Duration {
        let next = async {
            let tx = self.store.system_read().await?;
            outbox::next_due_at(&tx, self.route).await
        };
        match next.await {
            Ok(Some(due_at)) => due_at.since(Timestamp::now()).clamp(SOON, POLL),
            Ok(None) | Err(_) => POLL,
        }
    }

    /// Waits while the lane's queue is long.
    async fn room(&mut self) {
        let Route::Lane(lane) = self.route else { return };
        while !lane.carries_events() && self.bus.waiting(lane).await.is_ok_and(|waiting| waiting >= MOST_WAITING) {
            tokio::time::sleep(LOOK).await;
            if self.hold().await.is_err() {
                return;
            }
        }
    }

    async fn batch(&mut self, in_doubt: bool) -> Result<Batch, StoreError> {
        if in_doubt && self.embedded {
            // Claims do not run out here, and the bus may not have got what the failed batch claimed. What it
            // has, it recognises.
            let tx = self.store.system().await?;
            outbox::release_all(&tx).await?;
            tx.commit().await?;
        }
        let limit = self.bus.capacity(self.route).min(MOST_ROWS);
        if limit == 0 {
            return Ok(Batch { claimed: 0, refused: 0 });
        }
        let now = Timestamp::now();
        let until = if self.embedded { Timestamp::from_ms(i64::MAX) } else { now.after(CLAIM) };
        let tx = self.store.system().await?;
        let rows = outbox::claim(&tx, self.route, limit as u64, until).await?;
        if rows.is_empty() {
            return Ok(Batch { claimed: 0, refused: 0 });
        }
        tx.commit().await?;
        failpoint("relay.claimed");
        for row in &rows {
            let lag = now.since(row.available_at);
            metrics().relay_lag_seconds.with_label_values(&[self.route.name()]).observe(lag.as_secs_f64());
        }
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        let outgoing = rows.into_iter().map(|row| Outgoing { id: row.id, route: self.route, body: row.body }).collect();
        let answers = self.bus.relay(outgoing).await;
        failpoint("relay.published");
        self.settle(&ids, answers).await
    }

    /// Notes rows that the bus has, deletes those that are done, releases those it refused. If this fails, the claims
    /// expire and the rows are handed over once more: duplicates are allowed, losses are not.
    async fn settle(
        &mut self,
        ids: &[MessageId],
        answers: Vec<Result<Handover, keyway_bus::BusError>>,
    ) -> Result<Batch, StoreError> {
        let (mut done, mut handed, mut refused, mut why) = (Vec::new(), Vec::new(), Vec::new(), None);
        for (id, answer) in ids.iter().zip(answers) {
            match answer {
                Ok(Handover::Done) => done.push(*id),
                Ok(Handover::InFlight) => handed.push(*id),
                Err(error) => {
                    refused.push(*id);
                    why = Some(error);
                }
            }
        }
        let name = self.route.name();
        metrics().relayed.with_label_values(&[name]).inc_by((ids.len() - refused.len()) as u64);
        if let Some(error) = why {
            metrics().relay_failures.with_label_values(&[name]).inc_by(refused.len() as u64);
            tracing::warn!(route = name, rows = refused.len(), %error, "the bus did not take rows, they stay in the outbox");
        }
        // Embedded, claims do not run out.
        if !self.embedded && !handed.is_empty() {
            self.handed.push_back((Instant::now(), handed));
        }
        if !done.is_empty() || !refused.is_empty() {
            let tx = self.store.system().await?;
            outbox::delete(&tx, &done).await?;
            outbox::release(&tx, &refused, Timestamp::now()).await?;
            tx.commit().await?;
        }
        Ok(Batch { claimed: ids.len(), refused: refused.len() })
    }
}

struct Batch {
    claimed: usize,
    refused: usize,
}
