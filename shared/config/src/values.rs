//! From text to [`Config`]: the requirements of each setting. A message states the requirement and never quotes the
//! value, which may be a secret in the wrong place.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
    time::Duration,
};

use keyway_vault::{PostgresUrl, SecretString, ServiceUrl, UrlFault};

use crate::{Config, ConfigError, settings::SETTINGS};

/// Texts of the settings that are not parsed yet.
pub(crate) struct Values(BTreeMap<String, String>);

impl Values {
    pub(crate) const fn new(texts: BTreeMap<String, String>) -> Self {
        Self(texts)
    }

    /// Parses all of them.
    pub(crate) fn config(mut self) -> Result<Config, ConfigError> {
        let data_dir = PathBuf::from(self.text("KEYWAY_DATA_DIR"));
        let own_database = format!("sqlite://{}", data_dir.join("keyway.db").display());
        Ok(Config {
            listen: self.address("KEYWAY_LISTEN")?,
            ops_listen: self.address("KEYWAY_OPS_LISTEN")?,
            database_url: self
                .url("KEYWAY_DATABASE_URL", &["postgres", "postgresql", "sqlite"], database)?
                .unwrap_or(own_database.into()),
            amqp_url: self.url("KEYWAY_AMQP_URL", &["amqp", "amqps"], brokers)?,
            keyring: self.path("KEYWAY_KEYRING").unwrap_or_else(|| data_dir.join("keyring.json")),
            admin_key: self.admin_key()?,
            models_file: self.path("KEYWAY_MODELS_FILE"),
            trusted_upstreams: self.hosts("KEYWAY_TRUSTED_UPSTREAMS")?,
            fallback_key: self.fallback_key()?,
            usage_interval: Duration::from_secs(self.number("KEYWAY_USAGE_INTERVAL_SECONDS", 1..=86_400)?),
            verify_interval: Duration::from_secs(self.number("KEYWAY_VERIFY_INTERVAL_SECONDS", 1..=2_592_000)?),
            confirm_after: Duration::from_millis(self.number("KEYWAY_CONFIRM_AFTER_MS", 1..=3_600_000)?),
            retention: Duration::from_secs(self.number("KEYWAY_RETENTION_DAYS", 1..=3650)? * 86_400),
            drift_percent: self.number("KEYWAY_DRIFT_PERCENT", 0..=100)?,
            ledger: Duration::from_secs(self.number("KEYWAY_LEDGER_DAYS", 1..=3650)? * 86_400),
            concurrency: self.size("KEYWAY_CONCURRENCY", 1..=10_000)?,
            provider_concurrency: self.provider_concurrency()?,
            outbox_max_rows: self.number("KEYWAY_OUTBOX_MAX_ROWS", 1..=1_000_000_000)?,
            outbox_max_age: Duration::from_secs(self.number("KEYWAY_OUTBOX_MAX_AGE_SECONDS", 1..=604_800)?),
            database_connections: self
                .number("KEYWAY_DATABASE_CONNECTIONS", 2..=1000)
                .map(|n| u32::try_from(n).unwrap_or(10))?,
            max_connections: self.size("KEYWAY_MAX_CONNECTIONS", 1..=1_000_000)?,
            idle: Duration::from_secs(self.number("KEYWAY_IDLE_SECONDS", 1..=86_400)?),
            first_byte: Duration::from_secs(self.number("KEYWAY_FIRST_BYTE_SECONDS", 1..=86_400)?),
            cors_origins: self.cors_origins()?,
            api_body_bytes: self.size("KEYWAY_API_BODY_BYTES", 1024..=67_108_864)?,
            proxy_body_bytes: self.size("KEYWAY_PROXY_BODY_BYTES", 1024..=1_073_741_824)?,
            drain: Duration::from_secs(self.number("KEYWAY_DRAIN_SECONDS", 1..=3600)?),
            log: self.text("KEYWAY_LOG"),
            log_format: self.word("KEYWAY_LOG_FORMAT", &["text", "json"])?,
            unread_lines: Vec::new(),
            misspelt: Vec::new(),
            data_dir,
        })
    }

    /// Returns the value, or the default; a variable that is set but empty counts as not set.
    fn text(&mut self, name: &'static str) -> String {
        self.0.remove(name).filter(|value| !value.is_empty()).unwrap_or_else(|| default(name).to_owned())
    }

    fn set(&mut self, name: &'static str) -> Option<String> {
        Some(self.text(name)).filter(|value| !value.is_empty())
    }

    fn address(&mut self, name: &'static str) -> Result<SocketAddr, ConfigError> {
        let text = self.text(name);
        let local = || Some(SocketAddr::from((Ipv4Addr::LOCALHOST, text.strip_prefix("localhost:")?.parse().ok()?)));
        text.parse().ok().or_else(local).ok_or_else(|| {
            invalid(name, "it must be an address and a port, like 127.0.0.1:8080, or 0.0.0.0:8080 for every network")
        })
    }

    fn word(&mut self, name: &'static str, known: &[&str]) -> Result<String, ConfigError> {
        let text = self.text(name);
        if known.contains(&text.as_str()) {
            return Ok(text);
        }
        Err(invalid(name, format!("it must be {}", known.join(" or "))))
    }

    fn number(&mut self, name: &'static str, range: RangeInclusive<u64>) -> Result<u64, ConfigError> {
        let number = self.text(name).parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| {
            let example = default(name);
            let example = if example.is_empty() { String::new() } else { format!(", like {example}") };
            let (least, most) = (range.start(), range.end());
            invalid(name, format!("it must be a whole number{} from {least} to {most}{example}", unit(name)))
        })
    }

    fn size(&mut self, name: &'static str, range: RangeInclusive<u64>) -> Result<usize, ConfigError> {
        self.number(name, range).map(|number| usize::try_from(number).unwrap_or(usize::MAX))
    }

    fn provider_concurrency(&mut self) -> Result<Option<usize>, ConfigError> {
        let name = "KEYWAY_PROVIDER_CONCURRENCY";
        if self.0.get(name).is_none_or(String::is_empty) {
            self.0.remove(name);
            return Ok(None);
        }
        self.size(name, 1..=10_000).map(Some)
    }

    fn path(&mut self, name: &'static str) -> Option<PathBuf> {
        self.set(name).map(PathBuf::from)
    }

    fn url(
        &mut self,
        name: &'static str,
        schemes: &[&str],
        check: fn(&str) -> Result<(), UrlFault>,
    ) -> Result<Option<SecretString>, ConfigError> {
        let Some(text) = self.set(name) else { return Ok(None) };
        // A password may be in the URL: the message never quotes it.
        let scheme = text.split_once(':').map(|(scheme, _)| scheme);
        if !scheme.is_some_and(|scheme| schemes.contains(&scheme)) {
            return Err(invalid(name, format!("it must be a URL that starts with {}://", schemes.join(":// or "))));
        }
        check(&text).map_err(|fault| invalid(name, fault.to_string()))?;
        Ok(Some(text.into()))
    }

    fn hosts(&mut self, name: &'static str) -> Result<Vec<String>, ConfigError> {
        let text = self.text(name);
        let hosts: Vec<String> =
            text.split(',').map(|host| host.trim().to_ascii_lowercase()).filter(|host| !host.is_empty()).collect();
        if hosts.iter().any(|host| host.contains(['/', '@', '*', ' '])) {
            let why = "each must be a host or host:port, like 127.0.0.1:9100, without http:// and without a path";
            return Err(invalid(name, why));
        }
        Ok(hosts)
    }

    /// Returns the origins of web pages that may call the proxy; `None`: all.
    fn cors_origins(&mut self) -> Result<Option<Vec<String>>, ConfigError> {
        let name = "KEYWAY_CORS_ORIGINS";
        let text = self.text(name);
        match text.trim() {
            "*" => return Ok(None),
            "none" => return Ok(Some(Vec::new())),
            _ => {}
        }
        let origins: Vec<String> =
            text.split(',').map(|origin| origin.trim().trim_end_matches('/').to_owned()).collect();
        let is_origin = |text: &String| {
            let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
            host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '*', '@', ' ']))
        };
        if origins.iter().all(is_origin) {
            return Ok(Some(origins));
        }
        Err(invalid(name, "each must be an origin, like https://app.example.com; * is any, none is no page"))
    }

    fn fallback_key(&mut self) -> Result<Option<SecretString>, ConfigError> {
        let name = "KEYWAY_FALLBACK_OPENROUTER_KEY";
        match self.set(name) {
            Some(key) if !key.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Err(invalid(name, "a key has no spaces and no signs beyond ASCII"))
            }
            key => Ok(key.map(SecretString::from)),
        }
    }

    fn admin_key(&mut self) -> Result<Option<SecretString>, ConfigError> {
        let name = "KEYWAY_ADMIN_KEY";
        match self.set(name) {
            Some(key) if key.len() < 32 => {
                Err(invalid(name, "it must have at least 32 characters; one way to make it: openssl rand -hex 32"))
            }
            key => Ok(key.map(SecretString::from)),
        }
    }
}

fn database(url: &str) -> Result<(), UrlFault> {
    if PostgresUrl::is_one(url) { PostgresUrl::parse(url).map(drop) } else { Ok(()) }
}

/// Checks the URL of one broker, or of several separated by commas.
fn brokers(urls: &str) -> Result<(), UrlFault> {
    let is_one = |url: &str| url.starts_with("amqp://") || url.starts_with("amqps://");
    urls.split(',').map(str::trim).try_for_each(|url| {
        if !is_one(url) {
            return Err(UrlFault(
                "each address begins with amqp:// or amqps://, several have commas between them, and a comma of a \
                 password is written %2C",
            ));
        }
        ServiceUrl::parse(url).map(drop)
    })
}

fn default(name: &str) -> &'static str {
    SETTINGS.iter().find(|setting| setting.name == name).map_or("", |setting| setting.default)
}

/// Returns the unit of a numeric setting, from the suffix of its name, for messages: ` of seconds`.
fn unit(name: &str) -> &'static str {
    let units =
        [("_SECONDS", " of seconds"), ("_MS", " of milliseconds"), ("_DAYS", " of days"), ("_BYTES", " of bytes")];
    units.into_iter().find(|(end, _)| name.ends_with(end)).map_or("", |(_, unit)| unit)
}

fn invalid(name: &'static str, why: impl Into<String>) -> ConfigError {
    ConfigError::Invalid { name, why: why.into() }
}
