//! Settings: one struct, one `load`, the only reader of the environment.
//!
//! Every setting is a `KEYWAY_*` variable, from the process or from a `.env` file in the working
//! directory (the process wins). An unknown `KEYWAY_*` name is an error, so a typing mistake never
//! silently means the default; a misspelt prefix is told. Printing a [`Config`] never shows a secret.

mod dotenv;
mod read;
mod settings;
mod values;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use keyway_vault::SecretString;

pub use dotenv::UnreadLine;
pub use read::{ConfigError, Variables};
pub use settings::{SETTINGS, Setting};

/// All settings, checked.
#[derive(Debug)]
pub struct Config {
    /// Where the API and the proxy listen.
    pub listen: SocketAddr,
    /// Where `/healthz`, `/readyz` and `/metrics` listen.
    pub ops_listen: SocketAddr,
    /// Where the embedded database, the keyring and the spool live.
    pub data_dir: PathBuf,
    /// The database: PostgreSQL, or SQLite in the data directory.
    pub database_url: SecretString,
    /// RabbitMQ; `None` means the embedded bus.
    pub amqp_url: Option<SecretString>,
    /// The keyring file.
    pub keyring: PathBuf,
    /// The admin key; `None` means one is made at the first start.
    pub admin_key: Option<SecretString>,
    /// A file that replaces the built-in `models.yaml`.
    pub models_file: Option<PathBuf>,
    /// Upstream hosts (`host` or `host:port`) allowed although private or without TLS.
    pub trusted_upstreams: Vec<String>,
    /// The operator's OpenRouter key, for projects that consent to it.
    pub fallback_key: Option<SecretString>,
    /// How often usage is fetched for every integration.
    pub usage_interval: Duration,
    /// How often every key is verified again.
    pub verify_interval: Duration,
    /// How long after a first "this key is wrong" the second, independent probe is made.
    pub confirm_after: Duration,
    /// How long finished operations and verdicts are kept.
    pub retention: Duration,
    /// So many percent of what is reported of a key may be missing from the metered ledger.
    pub drift_percent: u64,
    /// How long single metered calls are kept; the sums of their days stay.
    pub ledger: Duration,
    /// Jobs at once in each of the verify and usage lanes.
    pub concurrency: usize,
    /// Jobs that call the same provider at once; `None`: half of [`Self::concurrency`].
    pub provider_concurrency: Option<usize>,
    /// Rows in the outbox at which new work is refused.
    pub outbox_max_rows: u64,
    /// How long the oldest due row may wait in the outbox before new work is refused.
    pub outbox_max_age: Duration,
    /// Connections per database pool.
    pub database_connections: u32,
    /// Open client connections.
    pub max_connections: usize,
    /// How long a client's connection may idle between two requests.
    pub idle: Duration,
    /// How long providers may take to begin the answer to a proxied request.
    pub first_byte: Duration,
    /// Origins of web pages that may call the proxy; `None`: all.
    pub cors_origins: Option<Vec<String>>,
    /// Largest body of a management request.
    pub api_body_bytes: usize,
    /// Largest body of a proxied request that has to be read before it is forwarded.
    pub proxy_body_bytes: usize,
    /// How long a graceful stop may take.
    pub drain: Duration,
    /// What is logged, in directive syntax.
    pub log: String,
    /// `text` or `json`.
    pub log_format: String,
    /// Lines of the `.env` file that could not be read, and were skipped: none of a setting.
    pub unread_lines: Vec<UnreadLine>,
    /// Variables that are no settings, each with the setting whose name is nearly the same.
    pub misspelt: Vec<(String, &'static str)>,
}
