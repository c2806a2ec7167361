//! Settings of workers: cadences and sizes.
//!
//! A setting is a line here and one in `.env.example`.

use std::time::Duration;

use crate::{ConfigError, Setting, setting::setting, values::Values};

const USAGE_INTERVAL: Setting =
    setting("KEYWAY_USAGE_INTERVAL_SECONDS", "900", "how often usage is fetched for every integration");
const VERIFY_INTERVAL: Setting =
    setting("KEYWAY_VERIFY_INTERVAL_SECONDS", "86400", "how often every key is verified again");
const CONFIRM_AFTER: Setting =
    setting("KEYWAY_CONFIRM_AFTER_MS", "2000", "delay of the second probe that confirms a refused key");
const RETENTION: Setting = setting("KEYWAY_RETENTION_DAYS", "30", "how long finished operations and verdicts are kept");
const DRIFT_PERCENT: Setting = setting(
    "KEYWAY_DRIFT_PERCENT",
    "5",
    "a key is used outside Keyway when more percent of what is reported of a day was not metered",
);
const LEDGER: Setting = setting(
    "KEYWAY_LEDGER_DAYS",
    "400",
    "how long single metered calls, which are the request log, are kept; the sums of their days stay",
);
const CONCURRENCY: Setting =
    setting("KEYWAY_CONCURRENCY", "64", "jobs at once in each of the verify and usage lanes of a worker process");
const PROVIDER_CONCURRENCY: Setting = setting(
    "KEYWAY_PROVIDER_CONCURRENCY",
    "",
    "jobs of a worker process that call the same provider at once; unset: half of KEYWAY_CONCURRENCY",
);

/// Every one of them.
pub(crate) const SETTINGS: &[Setting] = &[
    USAGE_INTERVAL,
    VERIFY_INTERVAL,
    CONFIRM_AFTER,
    RETENTION,
    DRIFT_PERCENT,
    LEDGER,
    CONCURRENCY,
    PROVIDER_CONCURRENCY,
];

/// Settings of workers.
#[derive(Debug)]
pub struct WorkersConfig {
    /// Interval at which usage is fetched for every integration.
    pub usage_interval: Duration,
    /// Interval at which every key is verified again.
    pub verify_interval: Duration,
    /// Delay between a first verdict "this key is wrong" and the second, independent probe.
    pub confirm_after: Duration,
    /// Retention of finished operations and verdicts.
    pub retention: Duration,
    /// Percentage of a key's reported usage that may be missing from the metered ledger before its owner is told.
    pub drift_percent: u64,
    /// Retention of single metered calls; their daily sums stay.
    pub ledger: Duration,
    /// Concurrent jobs in each of the verify and usage lanes.
    pub concurrency: usize,
    /// Concurrent jobs that call the same provider; `None`: half of [`Self::concurrency`].
    pub provider_concurrency: Option<usize>,
}

impl WorkersConfig {
    /// Reads them.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] names the first that is wrong.
    pub(crate) fn read(values: &mut Values) -> Result<Self, ConfigError> {
        Ok(Self {
            usage_interval: values.seconds(&USAGE_INTERVAL, 1..=86_400)?,
            verify_interval: values.seconds(&VERIFY_INTERVAL, 1..=2_592_000)?,
            confirm_after: Duration::from_millis(values.number(&CONFIRM_AFTER, 1..=3_600_000)?),
            retention: values.days(&RETENTION, 1..=3650)?,
            drift_percent: values.number(&DRIFT_PERCENT, 0..=100)?,
            ledger: values.days(&LEDGER, 1..=3650)?,
            concurrency: values.size(&CONCURRENCY, 1..=10_000)?,
            provider_concurrency: provider_concurrency(values)?,
        })
    }
}

fn provider_concurrency(values: &mut Values) -> Result<Option<usize>, ConfigError> {
    if values.is_set(&PROVIDER_CONCURRENCY) {
        values.size(&PROVIDER_CONCURRENCY, 1..=10_000).map(Some)
    } else {
        Ok(None)
    }
}
