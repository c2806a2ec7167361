//! The worker pools: one apalis worker per lane, all of one type, supervised.
//!
//! The `match` in [`handle`] leads from a lane to its handler: queue `keyway.<lane>` ends here.

use std::{sync::Arc, time::Duration};

use apalis::prelude::{BoxDynError, Data, WorkerBuilder, WorkerBuilderExt as _};
use keyway_bus::{ConsumeOptions, Delivery};
use keyway_domain::{Lane, Timestamp};
use keyway_telemetry::metrics;
use tokio_util::sync::CancellationToken;

use crate::{Ctx, HandlerError, attempt, writers};

/// Concurrent handlers of a writer lane: as many rows as one transaction groups.
const WRITERS: u16 = 128;
const RESTART: Duration = Duration::from_secs(1);

/// Runs every lane's pool until `stop`; started jobs end first. A sealed process does not consume the lanes that open
/// secrets.
pub(crate) async fn run(ctx: Arc<Ctx>, stop: CancellationToken) {
    let sealed = ctx.keys.vault().sealed_reason().is_some();
    let lanes = Lane::ALL.into_iter().filter(|lane| !(sealed && opens_secrets(*lane)));
    futures::future::join_all(lanes.map(|lane| supervise(lane, Arc::clone(&ctx), stop.clone()))).await;
}

const fn opens_secrets(lane: Lane) -> bool {
    matches!(lane, Lane::Verify | Lane::UsageFetch | Lane::Mail)
}

fn concurrency(lane: Lane, ctx: &Ctx) -> u16 {
    match lane {
        Lane::Verify | Lane::UsageFetch => ctx.settings.concurrency,
        Lane::UsagePlan => 2,
        Lane::Status | Lane::Audit => WRITERS,
        // A mail under way has a connection of its own.
        Lane::Meter | Lane::Mail => 8,
    }
}

/// Runs a lane's worker, and restarts it if it ends by itself: an error never empties a lane's pool.
async fn supervise(lane: Lane, ctx: Arc<Ctx>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let concurrency = concurrency(lane, &ctx);
        let source = ctx.bus.consume(lane, ConsumeOptions::for_concurrency(concurrency), &stop);
        let worker = WorkerBuilder::new(lane.name())
            .backend(source)
            .data(Arc::clone(&ctx))
            .concurrency(usize::from(concurrency))
            .build(work);
        let ended = worker.run().await;
        if stop.is_cancelled() {
            return;
        }
        tracing::error!(%lane, error = ended.err().map(tracing::field::display), "a pool ended by itself and is started again");
        tokio::time::sleep(RESTART).await;
    }
}

/// Handles one delivery; `Ok` acks it.
async fn work(delivery: Delivery, ctx: Data<Arc<Ctx>>) -> Result<(), BoxDynError> {
    let lane = delivery.lane.name();
    let waited = Timestamp::now().since(delivery.message.created_at);
    metrics().wait_seconds.with_label_values(&[lane]).observe(waited.as_secs_f64());
    metrics().lane_oldest_seconds.with_label_values(&[lane]).set(i64::try_from(waited.as_secs()).unwrap_or(i64::MAX));
    let running = metrics().lane_running.with_label_values(&[lane]);
    running.inc();
    let result = handle(&delivery, &ctx).await;
    running.dec();
    Ok(result?)
}

async fn handle(delivery: &Delivery, ctx: &Ctx) -> Result<(), HandlerError> {
    match delivery.lane {
        Lane::Verify | Lane::UsagePlan | Lane::UsageFetch | Lane::Meter | Lane::Mail => {
            attempt::run(delivery, ctx).await
        }
        Lane::Status => writers::status::run(&delivery.message, ctx).await,
        Lane::Audit => writers::audit::run(&delivery.message, ctx).await,
    }
}
