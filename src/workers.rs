//! `keyway workers`: relay, pools, writers and schedules, beside any number of others.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use keyway_bus::Bus;
use keyway_config::Config;
use keyway_domain::Lane;
use keyway_workers::{MailSettings, Mailer, WorkerParts, WorkerSettings};

use crate::{
    parts::{self, Parts},
    say,
};

/// Interval at which lanes are polled until each has a consumer.
const LOOK: Duration = Duration::from_millis(100);

/// Part of the time limit of one minute, in which a provider that is back is noticed; the rest is the longest backoff.
const RECHECK_AFTER: Duration = Duration::from_secs(15);

/// Runs until a signal, then lets started jobs end.
///
/// # Errors
/// A failure, with the remedy.
pub(crate) async fn run(config: Config) -> anyhow::Result<()> {
    parts::require_services(&config, "workers")?;
    let parts = parts::open(config, "workers").await?;
    parts.say_working();
    let told = keyway_telemetry::spawn("announcement", announce(parts.bus.clone(), parts.config.process.ops_listen));
    let ended = keyway_workers::run(self::parts(&parts)?, parts.stop.clone()).await;
    told.abort();
    Ok(ended?)
}

/// Prints that the workers are ready, once each lane has its consumer.
async fn announce(bus: Arc<dyn Bus>, ops: SocketAddr) {
    loop {
        let health = bus.health();
        let lanes = health.lanes.iter().filter(|lane| lane.consuming).count();
        if lanes == Lane::ALL.len() {
            return say::line(&format!(
                "Keyway workers are ready: {lanes} lanes are consumed, metrics on http://{ops}/metrics"
            ));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Selects the parts that the workers need.
///
/// # Errors
/// The settings of mail cannot be used.
pub(crate) fn parts(parts: &Parts) -> anyhow::Result<WorkerParts> {
    let config = &parts.config;
    let provider_concurrency = config.workers.provider_concurrency.unwrap_or(config.workers.concurrency / 2);
    Ok(WorkerParts {
        store: parts.store.clone(),
        keys: parts.keys.clone(),
        bus: parts.bus.clone(),
        catalog: parts.catalog.clone(),
        http: parts.http.clone(),
        mailer: mailer(config)?,
        settings: WorkerSettings {
            usage_interval: config.workers.usage_interval,
            verify_interval: config.workers.verify_interval,
            recheck_after: RECHECK_AFTER,
            confirm_after: config.workers.confirm_after,
            retention: config.workers.retention,
            ledger_retention: config.workers.ledger,
            drift_percent: config.workers.drift_percent,
            concurrency: u16::try_from(config.workers.concurrency).unwrap_or(u16::MAX),
            provider_concurrency: u16::try_from(provider_concurrency).unwrap_or(u16::MAX),
            drain: config.process.drain,
            embedded: config.process.amqp_urls.is_empty(),
        },
    })
}

/// Returns what sends mails; `None`: no mail server is set.
fn mailer(config: &Config) -> anyhow::Result<Option<Mailer>> {
    let Some(mail) = &config.mail else { return Ok(None) };
    let settings = MailSettings {
        server: mail.smtp.again(),
        from_name: mail.from_name.clone(),
        from_address: mail.from_address.clone(),
        public_url: mail.public_url.clone(),
    };
    Ok(Some(Mailer::new(settings).context("KEYWAY_SMTP_URL or KEYWAY_MAIL_FROM cannot be used")?))
}
