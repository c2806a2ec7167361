//! `keyway serve`: everything in one process. With SQLite and without RabbitMQ this needs no service.

use std::fs;

use anyhow::{Context as _, bail};
use keyway_config::Config;

use crate::{api, keyring, lost, parts, places, workers};

/// Runs until a signal, then drains: first the listener, then the jobs it started.
///
/// # Errors
/// A failure, with the remedy.
pub(crate) async fn run(config: Config) -> anyhow::Result<()> {
    if !parts::is_sqlite(&config) && config.process.amqp_urls.is_empty() {
        bail!(
            "PostgreSQL is shared, the embedded bus is not: set KEYWAY_AMQP_URL as well, or leave KEYWAY_DATABASE_URL out"
        );
    }
    let path = config.process.data_dir.join("keyway.lock");
    // Before the addresses: who starts the same twice wants to hear of that.
    if let Ok(known) = fs::File::open(&path) {
        lock(&known, &config)?;
    }
    places::require_addresses(&config, &[places::LISTEN, places::OPS_LISTEN]).await?;
    places::make_directory(places::DATA_DIR, &config.process.data_dir)?;
    let held = fs::File::create(&path).with_context(|| format!("creating {}", path.display()))?;
    lock(&held, &config)?;
    if let Some(why) = keyring::lost_database(&config) {
        return lost::serve(&config, why).await;
    }
    crate::migrate::run(&config).await?;
    let parts = parts::open(config, "serve").await?;
    let jobs_stop = tokio_util::sync::CancellationToken::new();
    let jobs = keyway_telemetry::spawn("workers", keyway_workers::run(workers::parts(&parts)?, jobs_stop.clone()));
    let served = api::serve(&parts).await;
    jobs_stop.cancel();
    jobs.await.context("the workers ended")??;
    served
}

/// Locks a data directory for one process, until the file is closed.
fn lock(file: &fs::File, config: &Config) -> anyhow::Result<()> {
    if file.try_lock().is_err() {
        bail!(
            "another keyway serve uses {}; give this one a KEYWAY_DATA_DIR of its own",
            config.process.data_dir.display()
        );
    }
    Ok(())
}
