//! Settings of what serves people: the listener, the admin key, sessions, and when new work is refused.
//!
//! A setting is a line here and one in `.env.example`.

use std::{net::SocketAddr, time::Duration};

use keyway_vault::SecretString;

use crate::{
    ConfigError, Setting,
    setting::setting,
    values::{Values, invalid},
};

const LISTEN: Setting = setting("KEYWAY_LISTEN", "127.0.0.1:8080", "address of the API and the proxy");
pub(crate) const ADMIN_KEY: Setting = setting(
    "KEYWAY_ADMIN_KEY",
    "",
    "the admin key, at least 32 characters; unset: made at the first start and printed once",
);
const PUBLIC_URL: Setting = setting(
    "KEYWAY_PUBLIC_URL",
    "",
    "address people open Keyway at, https://keyway.example.com; unset: the address of the request on loopback",
);
const OUTBOX_MAX_ROWS: Setting =
    setting("KEYWAY_OUTBOX_MAX_ROWS", "1000000", "rows in the outbox at which new work is refused with 503");
const OUTBOX_MAX_AGE: Setting = setting(
    "KEYWAY_OUTBOX_MAX_AGE_SECONDS",
    "600",
    "how long the oldest due row may wait in the outbox before new work is refused with 503",
);
const MAX_CONNECTIONS: Setting = setting(
    "KEYWAY_MAX_CONNECTIONS",
    "10000",
    "open client connections; a twentieth more is kept for management, beside proxied calls",
);
const MAX_CONNECTIONS_PER_ADDRESS: Setting = setting(
    "KEYWAY_MAX_CONNECTIONS_PER_ADDRESS",
    "",
    "open client connections of one address; unset: half of KEYWAY_MAX_CONNECTIONS, and no cap for this machine's own",
);
const IDLE: Setting = setting(
    "KEYWAY_IDLE_SECONDS",
    "75",
    "how long a client's connection may idle between two requests; balancers in front should keep theirs for less",
);
const SESSION_IDLE: Setting = setting(
    "KEYWAY_SESSION_IDLE_SECONDS",
    "28800",
    "how long a person's session holds without being used; of sessions that begin from now on",
);
const SESSION: Setting = setting(
    "KEYWAY_SESSION_SECONDS",
    "86400",
    "how long a person's session holds in any case, however often it is used",
);
const API_BODY_BYTES: Setting = setting("KEYWAY_API_BODY_BYTES", "1048576", "largest body of a management request");

/// Every one of them.
pub(crate) const SETTINGS: &[Setting] = &[
    LISTEN,
    ADMIN_KEY,
    PUBLIC_URL,
    OUTBOX_MAX_ROWS,
    OUTBOX_MAX_AGE,
    MAX_CONNECTIONS,
    MAX_CONNECTIONS_PER_ADDRESS,
    IDLE,
    SESSION_IDLE,
    SESSION,
    API_BODY_BYTES,
];

/// Settings of what serves people.
#[derive(Debug)]
pub struct ApiConfig {
    /// Address of the API and the proxy.
    pub listen: SocketAddr,
    /// The admin key; `None`: one is made at the first start.
    pub admin_key: Option<SecretString>,
    /// Address that people open Keyway at, without a slash at its end.
    pub public_url: Option<String>,
    /// Number of rows in the outbox at which new work is refused.
    pub outbox_max_rows: u64,
    /// Age of the oldest due outbox row at which new work is refused.
    pub outbox_max_age: Duration,
    /// Largest number of open client connections.
    pub max_connections: usize,
    /// Largest number of those of one address; `None`: half of all, and no cap for this machine.
    pub max_connections_of_address: Option<usize>,
    /// Time that a client's connection may idle between two requests.
    pub idle: Duration,
    /// Time without use after which a session ends.
    pub session_idle: Duration,
    /// Time after which a session ends in any case.
    pub session: Duration,
    /// Largest body of a management request, in bytes.
    pub api_body_bytes: usize,
}

impl ApiConfig {
    /// Reads them.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] names the first that is wrong.
    pub(crate) fn read(values: &mut Values) -> Result<Self, ConfigError> {
        Ok(Self {
            listen: values.address(&LISTEN)?,
            admin_key: admin_key(values)?,
            public_url: public_url(values)?,
            outbox_max_rows: values.number(&OUTBOX_MAX_ROWS, 1..=1_000_000_000)?,
            outbox_max_age: values.seconds(&OUTBOX_MAX_AGE, 1..=604_800)?,
            max_connections: values.size(&MAX_CONNECTIONS, 1..=1_000_000)?,
            max_connections_of_address: if values.is_set(&MAX_CONNECTIONS_PER_ADDRESS) {
                Some(values.size(&MAX_CONNECTIONS_PER_ADDRESS, 1..=1_000_000)?)
            } else {
                None
            },
            idle: values.seconds(&IDLE, 1..=86_400)?,
            session_idle: values.seconds(&SESSION_IDLE, 300..=2_592_000)?,
            session: values.seconds(&SESSION, 300..=2_592_000)?,
            api_body_bytes: values.size(&API_BODY_BYTES, 1024..=67_108_864)?,
        })
    }
}

fn public_url(values: &mut Values) -> Result<Option<String>, ConfigError> {
    let Some(text) = values.set(&PUBLIC_URL) else { return Ok(None) };
    let text = text.trim_end_matches('/');
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let of_host = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    let is_safe = |host: &str| {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        text.starts_with("https://") || ["localhost", "127.0.0.1", "[::1]"].contains(&name)
    };
    match host {
        Some(host) if !host.is_empty() && host.chars().all(of_host) && is_safe(host) => Ok(Some(text.to_owned())),
        _ => Err(invalid(&PUBLIC_URL, "it must be an address like https://keyway.example.com, without a path")),
    }
}

fn admin_key(values: &mut Values) -> Result<Option<SecretString>, ConfigError> {
    match values.secret(&ADMIN_KEY) {
        Some(key) if key.plain().len() < 32 => {
            Err(invalid(&ADMIN_KEY, "it must have at least 32 characters; one way to make it: openssl rand -hex 32"))
        }
        key => Ok(key),
    }
}
