//! `keyway workers`: relay, pools, writers and schedules, beside any number of others.

use keyway_config::Config;
use keyway_workers::{WorkerParts, WorkerSettings};

use crate::parts::{self, Parts};

/// Runs until a signal, then lets started jobs end.
///
/// # Errors
/// With what to do about it.
pub(crate) async fn run(config: Config) -> anyhow::Result<()> {
    parts::require_services(&config, "workers")?;
    let parts = parts::open(config, "workers").await?;
    parts.say_working();
    tracing::info!("workers are running");
    keyway_workers::run(self::parts(&parts), parts.stop.clone()).await?;
    Ok(())
}

/// What the workers need of the parts.
pub(crate) fn parts(parts: &Parts) -> WorkerParts {
    let config = &parts.config;
    let provider_concurrency = config.provider_concurrency.unwrap_or(config.concurrency / 2);
    WorkerParts {
        store: parts.store.clone(),
        keys: parts.keys.clone(),
        bus: parts.bus.clone(),
        catalog: parts.catalog.clone(),
        http: parts.http.clone(),
        settings: WorkerSettings {
            usage_interval: config.usage_interval,
            verify_interval: config.verify_interval,
            confirm_after: config.confirm_after,
            retention: config.retention,
            ledger_retention: config.ledger,
            drift_percent: config.drift_percent,
            concurrency: u16::try_from(config.concurrency).unwrap_or(u16::MAX),
            provider_concurrency: u16::try_from(provider_concurrency).unwrap_or(u16::MAX),
            drain: config.drain,
            embedded: config.amqp_url.is_none(),
        },
    }
}
