//! Everything asynchronous: the relay, one worker pool per lane, the two writers, the schedules.
//!
//! Data flows one way: outbox, relay, bus, worker, event, writer. Only the relay and the workers
//! publish; only the status writer changes a status; only the audit writer appends audit rows.

mod attempt;
mod ctx;
mod dead_letters;
mod error;
mod gate;
mod gauges;
mod group;
mod jobs;
mod journal;
mod lost;
mod mail;
mod noticed;
mod notices;
mod parked;
mod patience;
mod pools;
mod relay;
mod schedules;
mod writers;

use std::sync::Arc;

use keyway_store::{StoreError, mails::Outgoing, outbox};
use tokio_util::sync::CancellationToken;

pub use ctx::{WorkerParts, WorkerSettings};
pub use error::HandlerError;
pub use journal::OutboxJournal;
pub use lost::hand_over_again;
pub use mail::{MailSettings, Mailer, MailerError};
pub use writers::Writers;

use ctx::Ctx;
use gate::Gate;

/// Runs all parts of a worker process until `stop` is cancelled and every started job has ended, or the drain time is
/// over; unfinished messages are delivered again elsewhere.
///
/// [`StoreError`] if the embedded outbox cannot be read at the start.
pub async fn run(parts: WorkerParts, stop: CancellationToken) -> Result<(), StoreError> {
    let settings = parts.settings;
    if settings.embedded {
        // Nobody else can hold a claim: what was claimed before a crash is free again.
        let tx = parts.store.system().await?;
        outbox::release_all(&tx).await?;
        tx.commit().await?;
    }
    let ctx = Arc::new(context(parts));
    let relay_stop = CancellationToken::new();
    let relay = keyway_telemetry::spawn(
        "relay",
        relay::run(ctx.store.clone(), Arc::clone(&ctx.bus), settings.embedded, relay_stop.clone()),
    );
    let mut pools = keyway_telemetry::spawn("pools", pools::run(Arc::clone(&ctx), stop.clone()));
    let others = [
        keyway_telemetry::spawn("schedules", schedules::run(Arc::clone(&ctx), stop.clone())),
        keyway_telemetry::spawn("dead letters", dead_letters::run(Arc::clone(&ctx), stop.clone())),
        keyway_telemetry::spawn("parked messages", parked::run(Arc::clone(&ctx), stop.clone())),
        keyway_telemetry::spawn("gauges", gauges::run(Arc::clone(&ctx), stop.clone())),
    ];
    stop.cancelled().await;
    if tokio::time::timeout(settings.drain, &mut pools).await.is_err() {
        tracing::warn!("started jobs did not end in time; their messages will be delivered again");
        pools.abort();
        // Ended by force or by itself: either way nothing runs any more.
        let _ = pools.await;
    }
    // Handlers that end during the drain still publish: the relay stops last.
    relay_stop.cancel();
    let _ = tokio::time::timeout(settings.drain, futures::future::join_all(others.into_iter().chain([relay]))).await;
    Ok(())
}

/// What handlers are given.
fn context(parts: WorkerParts) -> Ctx {
    let WorkerParts { store, keys, bus, catalog, http, mailer, settings } = parts;
    let outgoing = mailer.as_ref().map_or_else(Outgoing::unset, Mailer::outgoing);
    let Writers { status, audit } = Writers::start(&store, &bus, settings.verify_interval, outgoing.clone());
    let mailer = mailer.map(Arc::new);
    let gate = Gate::new(settings.provider_concurrency);
    Ctx { store, keys, bus, catalog, http, mailer, outgoing, settings, gate, status, audit }
}
