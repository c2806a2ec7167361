//! Settings of every process, whatever its role: its files, its lanes, how it is watched and stopped.
//!
//! A setting is a line here and one in `.env.example`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use keyway_vault::{SecretString, ServiceUrl, UrlFault};

use crate::{
    ConfigError, Setting,
    setting::setting,
    values::{Values, invalid},
};

const OPS_LISTEN: Setting = setting("KEYWAY_OPS_LISTEN", "127.0.0.1:9464", "address of /healthz, /readyz and /metrics");
const DATA_DIR: Setting =
    setting("KEYWAY_DATA_DIR", "./data", "directory of the embedded database, the keyring and the spool");
pub(crate) const AMQP_URL: Setting = setting(
    "KEYWAY_AMQP_URL",
    "",
    "amqp://... of RabbitMQ, several nodes with commas between; unset: the embedded bus",
);
const KEYRING: Setting = setting("KEYWAY_KEYRING", "", "the keyring file; unset: keyring.json in the data directory");
const MODELS_FILE: Setting = setting(
    "KEYWAY_MODELS_FILE",
    "",
    "a file that replaces the built-in models.yaml; a change of it is taken within seconds, whole, if it is valid",
);
const TRUSTED_UPSTREAMS: Setting = setting(
    "KEYWAY_TRUSTED_UPSTREAMS",
    "",
    "hosts allowed although private or without TLS, comma separated: 127.0.0.1:9100",
);
const DRAIN: Setting = setting("KEYWAY_DRAIN_SECONDS", "25", "how long a graceful stop may take");
const LOG: Setting = setting(
    "KEYWAY_LOG",
    "info,sqlx=warn,sea_orm_migration=warn,apalis_core=warn",
    "what is logged: info, or directives like info,keyway_bus=debug",
);
const LOG_FORMAT: Setting = setting("KEYWAY_LOG_FORMAT", "text", "text or json");

/// Every one of them.
pub(crate) const SETTINGS: &[Setting] =
    &[OPS_LISTEN, DATA_DIR, AMQP_URL, KEYRING, MODELS_FILE, TRUSTED_UPSTREAMS, DRAIN, LOG, LOG_FORMAT];

/// Settings of every process.
#[derive(Debug)]
pub struct ProcessConfig {
    /// Address of `/healthz`, `/readyz` and `/metrics`.
    pub ops_listen: SocketAddr,
    /// Directory of the embedded database, the keyring and the spool.
    pub data_dir: PathBuf,
    /// The nodes of RabbitMQ; none: the embedded bus.
    pub amqp_urls: Vec<SecretString>,
    /// Path of the keyring file.
    pub keyring: PathBuf,
    /// Path of a file that replaces the built-in `models.yaml`.
    pub models_file: Option<PathBuf>,
    /// Upstream hosts (`host` or `host:port`) that are allowed although private or without TLS.
    pub trusted_upstreams: Vec<String>,
    /// Time limit of a graceful stop.
    pub drain: Duration,
    /// Log filter in directive syntax: `info,keyway_bus=debug`.
    pub log: String,
    /// Log format: `text` or `json`.
    pub log_format: String,
}

impl ProcessConfig {
    /// Reads them.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] names the first that is wrong.
    pub(crate) fn read(values: &mut Values) -> Result<Self, ConfigError> {
        let data_dir = PathBuf::from(values.text(&DATA_DIR));
        Ok(Self {
            ops_listen: values.address(&OPS_LISTEN)?,
            amqp_urls: brokers(values)?,
            keyring: values.path(&KEYRING).unwrap_or_else(|| data_dir.join("keyring.json")),
            models_file: values.path(&MODELS_FILE),
            trusted_upstreams: hosts(values)?,
            drain: values.seconds(&DRAIN, 1..=3600)?,
            log: values.text(&LOG),
            log_format: values.word(&LOG_FORMAT, &["text", "json"])?,
            data_dir,
        })
    }
}

/// The addresses of one broker's nodes, with commas between them.
fn brokers(values: &mut Values) -> Result<Vec<SecretString>, ConfigError> {
    let Some(text) = values.url(&AMQP_URL, &["amqp", "amqps"])? else { return Ok(Vec::new()) };
    let fault = |fault: UrlFault| invalid(&AMQP_URL, fault.to_string());
    let addresses = text.plain().split(',').map(|address| broker(address.trim()));
    addresses.collect::<Result<_, _>>().map_err(fault)
}

fn broker(address: &str) -> Result<SecretString, UrlFault> {
    if !address.starts_with("amqp://") && !address.starts_with("amqps://") {
        return Err(UrlFault(
            "each address begins with amqp:// or amqps://, several have commas between them, and a comma of a \
             password is written %2C",
        ));
    }
    ServiceUrl::parse(address).map(|_| address.to_owned().into())
}

fn hosts(values: &mut Values) -> Result<Vec<String>, ConfigError> {
    let text = values.text(&TRUSTED_UPSTREAMS);
    let hosts: Vec<String> =
        text.split(',').map(|host| host.trim().to_ascii_lowercase()).filter(|host| !host.is_empty()).collect();
    if hosts.iter().any(|host| host.contains(['/', '@', '*', ' '])) {
        let why = "each must be a host or host:port, like 127.0.0.1:9100, without http:// and without a path";
        return Err(invalid(&TRUSTED_UPSTREAMS, why));
    }
    Ok(hosts)
}
