//! The schedules: a table of what is done and how often, each in a file of its own.
//!
//! They fire on every worker and are made single by `UNIQUE(schedule, fire_at)` in the transaction
//! that writes the outbox rows: no leader election. What was missed while nobody ran coalesces to one.

mod adoption;
mod budgets;
mod checkpoints;
mod drift;
mod expiry;
mod fire;
mod publications;
mod retention;
mod revocations;
mod rollups;
mod round;
mod usage;
mod verify;
mod waiting;

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use keyway_domain::Timestamp;
use keyway_store::{StoreError, replicas};
use keyway_telemetry::OnceAMinute;
use tokio_util::sync::CancellationToken;

use self::round::{HOUR, Round};
use crate::{Ctx, WorkerSettings};

pub(crate) use verify::next_check;

const TICK: Duration = Duration::from_secs(1);
/// At each look at the clock.
const ALWAYS: Duration = Duration::ZERO;
const MINUTE: Duration = Duration::from_secs(60);

/// What is done, and how often.
struct Schedule {
    /// The name in metrics and fires; `None`: every worker looks for itself, and what it finds has a key of its own.
    name: Option<&'static str>,
    /// How long a round is; each worker does it once in that time at most.
    every: fn(&WorkerSettings) -> Duration,
    run: for<'c> fn(&'c Ctx, Round) -> BoxFuture<'c, Result<(), StoreError>>,
}

static SCHEDULES: [Schedule; 12] = [
    Schedule {
        name: Some(usage::NAME),
        every: |settings| settings.usage_interval,
        run: |ctx, round| Box::pin(usage::run(ctx, round)),
    },
    Schedule { name: Some(verify::NAME), every: |_| ALWAYS, run: |ctx, round| Box::pin(verify::run(ctx, round)) },
    Schedule {
        name: Some(waiting::NAME),
        every: |_| replicas::BEAT,
        run: |ctx, round| Box::pin(waiting::run(ctx, round)),
    },
    Schedule { name: None, every: |_| replicas::BEAT, run: |ctx, round| Box::pin(revocations::run(ctx, round)) },
    Schedule { name: None, every: |_| MINUTE, run: |ctx, round| Box::pin(expiry::run(ctx, round)) },
    Schedule { name: None, every: |_| MINUTE, run: |ctx, round| Box::pin(budgets::run(ctx, round)) },
    Schedule { name: None, every: |_| replicas::BEAT, run: |ctx, round| Box::pin(checkpoints::run(ctx, round)) },
    Schedule { name: None, every: |_| HOUR, run: |ctx, round| Box::pin(adoption::run(ctx, round)) },
    Schedule { name: None, every: |_| MINUTE, run: |ctx, round| Box::pin(rollups::run(ctx, round)) },
    Schedule { name: None, every: |_| ALWAYS, run: |ctx, round| Box::pin(publications::run(ctx, round)) },
    Schedule { name: Some(drift::NAME), every: |_| HOUR, run: |ctx, round| Box::pin(drift::run(ctx, round)) },
    Schedule { name: Some(retention::NAME), every: |_| HOUR, run: |ctx, round| Box::pin(retention::run(ctx, round)) },
];

/// The schedules that metrics and fires name.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    SCHEDULES.iter().filter_map(|schedule| schedule.name)
}

/// Fires until `stop`.
pub(crate) async fn run(ctx: Arc<Ctx>, stop: CancellationToken) {
    let mut done = [None; SCHEDULES.len()];
    loop {
        // Not the clock of this process, which may be wrong alone.
        let result = match ctx.store.now().await {
            Ok(now) => tick(&ctx, &mut done, now).await,
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            static TOLD: OnceAMinute = OnceAMinute::new();
            if let Some(held_back) = TOLD.passes() {
                tracing::warn!(%error, held_back, "a schedule could not fire, it tries again");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(TICK) => {}
        }
    }
}

/// Does the rounds that this process does not know to be done, by whomever.
async fn tick(ctx: &Ctx, done: &mut [Option<Timestamp>], now: Timestamp) -> Result<(), StoreError> {
    for (schedule, done) in SCHEDULES.iter().zip(done) {
        let at = now.floor((schedule.every)(&ctx.settings));
        if *done != Some(at) {
            (schedule.run)(ctx, Round { at, now }).await?;
            *done = Some(at);
        }
    }
    Ok(())
}
