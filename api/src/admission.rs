//! Admission of new work. Accepted work is never dropped, so work that cannot be done in time is refused before it is
//! accepted: commands that start work, never reads, changes or deletes.
//!
//! The outbox is checked every second, not on every request; a command in between costs one atomic load.

use std::{
    sync::atomic::{AtomicU8, Ordering},
    time::{Duration, Instant},
};

use keyway_domain::Timestamp;
use keyway_store::{Store, StoreError, outbox};
use keyway_telemetry::metrics;
use tokio_util::sync::CancellationToken;

use crate::{code::Code, error::ApiError};

const EVERY: Duration = Duration::from_secs(1);
const RETRY_AFTER_SECONDS: u16 = 10;

/// Limits of the outbox above which new work is refused.
#[derive(Clone, Copy, Debug)]
pub struct OutboxLimits {
    /// Rows, due or not.
    pub max_rows: u64,
    /// Age of the oldest row that is due.
    pub max_age: Duration,
}

/// Reason why new work is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Refusal {
    Rows = 1,
    Age = 2,
}

impl Refusal {
    const ALL: [Self; 2] = [Self::Rows, Self::Age];

    const fn name(self) -> &'static str {
        match self {
            Self::Rows => "outbox_rows",
            Self::Age => "outbox_age",
        }
    }
}

/// The limits, and the one that is exceeded, if any.
pub(crate) struct Admission {
    limits: OutboxLimits,
    /// A [`Refusal`], or 0.
    refusal: AtomicU8,
}

impl Admission {
    pub(crate) fn new(limits: OutboxLimits) -> Self {
        for refusal in Refusal::ALL {
            metrics().commands_refused.with_label_values(&[refusal.name()]);
        }
        Self { limits, refusal: AtomicU8::new(0) }
    }

    /// Lets a command that starts work through.
    ///
    /// # Errors
    /// 503 while a limit is exceeded.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        let Some(refusal) = self.refusal() else { return Ok(()) };
        metrics().commands_refused.with_label_values(&[refusal.name()]).inc();
        let message = "too much accepted work is waiting; nothing was changed, send the request again later";
        Err(ApiError::new(Code::Overloaded, message).retry_after(RETRY_AFTER_SECONDS))
    }

    /// Checks the outbox every second until `stop`.
    pub(crate) async fn watch(&self, store: &Store, stop: &CancellationToken) {
        loop {
            let started = Instant::now();
            match stop.run_until_cancelled(self.look(store)).await {
                None => return,
                // A database that is away refuses commands by itself.
                Some(Err(error)) => tracing::debug!(%error, "the outbox could not be looked at"),
                Some(Ok(())) => {}
            }
            // Counting a long outbox takes its time: it never takes more than a tenth of it.
            let pause = EVERY.max(started.elapsed() * 9);
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    async fn look(&self, store: &Store) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let tx = store.system_read().await?;
        let backlog = outbox::backlog(&tx, now, self.limits.max_rows).await?;
        drop(tx);
        let age = backlog.oldest_due_at.map_or(Duration::ZERO, |at| now.since(at));
        let refusal = if backlog.rows >= self.limits.max_rows {
            Some(Refusal::Rows)
        } else {
            (age > self.limits.max_age).then_some(Refusal::Age)
        };
        if refusal != self.refusal() {
            let (rows, oldest_seconds, refusing) = (backlog.rows, age.as_secs(), refusal.map(Refusal::name));
            tracing::warn!(rows, oldest_seconds, refusing, "whether new work is accepted has changed");
        }
        self.refusal.store(refusal.map_or(0, |refusal| refusal as u8), Ordering::Relaxed);
        Ok(())
    }

    fn refusal(&self) -> Option<Refusal> {
        let stored = self.refusal.load(Ordering::Relaxed);
        Refusal::ALL.into_iter().find(|refusal| *refusal as u8 == stored)
    }
}
