//! Samples values of the database and the bus into gauges, every few seconds.

use std::{sync::Arc, time::Duration};

use keyway_domain::{DeadReason, IntegrationStatus, Lane, MailKind, Route, Timestamp};
use keyway_providers::Catalog;
use keyway_store::{StoreError, dead_letters, drift, expiry, integrations, mails, outbox};
use keyway_telemetry::metrics;
use tokio_util::sync::CancellationToken;

use crate::{Ctx, mail::Answer, schedules};

const EVERY: Duration = Duration::from_secs(5);
/// Time for which an alert stands after a key was found to be used outside Keyway.
const TOLD_LATELY: Duration = Duration::from_secs(86_400);

/// Makes every series with labels known in advance: a counter that appears with its first event has no increase that an
/// alert could see.
fn prepare() {
    let metrics = metrics();
    for lane in Lane::ALL.map(Lane::name) {
        let waiting = [&metrics.lane_depth, &metrics.lane_oldest_seconds, &metrics.lane_dead];
        for gauge in waiting.into_iter().chain([&metrics.lane_consumers, &metrics.lane_running]) {
            gauge.with_label_values(&[lane]).set(0);
        }
        for histogram in [&metrics.handler_seconds, &metrics.wait_seconds] {
            histogram.with_label_values(&[lane]);
        }
        metrics.infrastructure_waits.with_label_values(&[lane]);
        metrics.dead_letters_replayed.with_label_values(&[lane]);
        for reason in DeadReason::ALL.map(DeadReason::name).into_iter().chain([dead_letters::EXHAUSTED]) {
            metrics.dead_lettered.with_label_values(&[lane, reason]);
        }
    }
    for route in Route::ALL.map(Route::name) {
        metrics.relayed.with_label_values(&[route]);
        metrics.relay_failures.with_label_values(&[route]);
        metrics.relay_lag_seconds.with_label_values(&[route]);
    }
    for kind in MailKind::ALL.map(MailKind::name) {
        for outcome in Answer::ALL.map(Answer::name) {
            metrics.mails.with_label_values(&[kind, outcome]);
        }
    }
    for schedule in schedules::names() {
        metrics.schedule_fires.with_label_values(&[schedule]);
    }
}

/// Works like [`prepare`], for labels that come from the catalog.
fn prepare_providers(catalog: &Catalog) {
    let metrics = metrics();
    for provider in catalog.providers().iter().map(|spec| spec.name.as_str()).chain(["custom"]) {
        for reason in ["no_figures", "no_price"] {
            metrics.proxy_unpriced.with_label_values(&[provider, reason]);
        }
        metrics.provider_running.with_label_values(&[provider]);
        metrics.breaker_open.with_label_values(&[provider]);
        metrics.breaker_opened.with_label_values(&[provider]);
    }
}

/// Samples until `stop`.
pub(crate) async fn run(ctx: Arc<Ctx>, stop: CancellationToken) {
    prepare();
    prepare_providers(&ctx.catalog.now());
    let mut catalog = ctx.catalog.changes();
    loop {
        let sampled = stop.run_until_cancelled(sample(&ctx)).await;
        if let Some(Err(error)) = sampled {
            tracing::debug!(%error, "gauges could not be sampled");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            catalog = catalog.next() => prepare_providers(&catalog),
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn sample(ctx: &Ctx) -> Result<(), StoreError> {
    let health = ctx.bus.health();
    metrics().bus_connected.set(i64::from(health.connected));
    if let Ok(depths) = ctx.bus.depths().await {
        for depth in depths {
            let lane = depth.lane.name();
            metrics().lane_depth.with_label_values(&[lane]).set(gauge(depth.waiting));
            metrics().lane_consumers.with_label_values(&[lane]).set(gauge(depth.consumers));
            metrics().lane_dead.with_label_values(&[lane]).set(gauge(depth.dead));
            if depth.waiting == 0 {
                metrics().lane_oldest_seconds.with_label_values(&[lane]).set(0);
            }
        }
    }
    let now = Timestamp::now();
    let tx = ctx.store.system_read().await?;
    let waiting = outbox::stats(&tx, now).await?;
    for route in Route::ALL {
        let stats = waiting.iter().find(|stats| stats.route == route);
        let rows = stats.map_or(0, |stats| stats.ready);
        let oldest = stats.and_then(|stats| stats.oldest_ready_at).map_or(0, |at| now.since(at).as_secs());
        metrics().outbox_rows.with_label_values(&[route.name()]).set(rows);
        let in_flight = stats.map_or(0, |stats| stats.in_flight);
        metrics().outbox_rows_in_flight.with_label_values(&[route.name()]).set(in_flight);
        metrics().outbox_oldest_seconds.with_label_values(&[route.name()]).set(gauge(oldest));
    }
    for pool in ctx.store.pools() {
        let open = metrics().database_connections.with_label_values(&[pool.name, "open"]);
        open.set(i64::from(pool.open));
        let idle = metrics().database_connections.with_label_values(&[pool.name, "idle"]);
        idle.set(i64::from(pool.idle));
    }
    let counts = integrations::count_by_status(&tx).await?;
    for status in IntegrationStatus::ALL {
        let count = counts.iter().find(|(counted, _)| *counted == status).map_or(0, |(_, count)| *count);
        metrics().integrations.with_label_values(&[status.name()]).set(count);
    }
    for (days, count) in expiry::count_within(&tx, now).await? {
        metrics().integrations_expiring.with_label_values(&[&days.to_string()]).set(count);
    }
    metrics().integrations_used_outside.set(drift::count_told(&tx, now.before(TOLD_LATELY)).await?);
    metrics().dead_letters.set(dead_letters::count(&tx).await?);
    let (counts, oldest) = mails::count_by_state(&tx).await?;
    for (state, count) in counts {
        metrics().mails_kept.with_label_values(&[state.name()]).set(count);
    }
    metrics().mail_oldest_seconds.set(gauge(oldest.map_or(0, |at| now.since(at).as_secs())));
    Ok(())
}

fn gauge(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
