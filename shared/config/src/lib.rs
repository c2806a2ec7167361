//! Settings: one struct, one `load`, the only reader of the environment.
//!
//! Every setting is a `KEYWAY_*` variable, from the process or from a `.env` file in the working directory (the process
//! wins). An unknown `KEYWAY_*` name is an error, so a typing mistake never silently means the default; a misspelt
//! prefix is reported. Printing a [`Config`] never shows a secret.

mod dotenv;
mod read;
mod settings;
mod values;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use keyway_vault::SecretString;

pub use dotenv::UnreadLine;
pub use read::{ConfigError, Variables};
pub use settings::{SETTINGS, Setting};

/// All settings, validated.
#[derive(Debug)]
pub struct Config {
    /// Address of the API and the proxy.
    pub listen: SocketAddr,
    /// Address of `/healthz`, `/readyz` and `/metrics`.
    pub ops_listen: SocketAddr,
    /// Directory of the embedded database, the keyring and the spool.
    pub data_dir: PathBuf,
    /// URL of the database: PostgreSQL, or SQLite in the data directory.
    pub database_url: SecretString,
    /// RabbitMQ's URL; `None`: the embedded bus.
    pub amqp_url: Option<SecretString>,
    /// Path of the keyring file.
    pub keyring: PathBuf,
    /// The admin key; `None`: one is made at the first start.
    pub admin_key: Option<SecretString>,
    /// Path of a file that replaces the built-in `models.yaml`.
    pub models_file: Option<PathBuf>,
    /// Upstream hosts (`host` or `host:port`) that are allowed although private or without TLS.
    pub trusted_upstreams: Vec<String>,
    /// The operator's OpenRouter key, for projects that consent to it.
    pub fallback_key: Option<SecretString>,
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
    /// Number of rows in the outbox at which new work is refused.
    pub outbox_max_rows: u64,
    /// Age of the oldest due outbox row at which new work is refused.
    pub outbox_max_age: Duration,
    /// Connections per database pool.
    pub database_connections: u32,
    /// Largest number of open client connections.
    pub max_connections: usize,
    /// Time that a client's connection may idle between two requests.
    pub idle: Duration,
    /// Time that a provider has to begin its answer to a proxied request.
    pub first_byte: Duration,
    /// Origins of web pages that may call the proxy; `None`: all.
    pub cors_origins: Option<Vec<String>>,
    /// Largest body of a management request, in bytes.
    pub api_body_bytes: usize,
    /// Largest body of a proxied request that must be buffered before it is forwarded, in bytes.
    pub proxy_body_bytes: usize,
    /// Time limit of a graceful stop.
    pub drain: Duration,
    /// Log filter in directive syntax: `info,keyway_bus=debug`.
    pub log: String,
    /// Log format: `text` or `json`.
    pub log_format: String,
    /// Lines of the `.env` file that could not be read and were skipped; none of them is a setting.
    pub unread_lines: Vec<UnreadLine>,
    /// Variables that are no settings, each with the setting that has nearly the same name.
    pub misspelt: Vec<(String, &'static str)>,
}
