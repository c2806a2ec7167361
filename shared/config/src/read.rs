//! From text to [`Config`]: the list of settings, and where each is read and checked.

use std::{
    collections::BTreeMap,
    fmt::Display,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use keyway_vault::SecretString;

use crate::Config;

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The variable's name.
    pub name: &'static str,
    /// The text used when it is not set; empty: unset has a meaning of its own.
    pub default: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

/// Every setting. `.env.example` is checked against this list.
pub const SETTINGS: &[Setting] = &[
    setting("KEYWAY_LISTEN", "127.0.0.1:8080", "address of the API and the proxy"),
    setting("KEYWAY_OPS_LISTEN", "127.0.0.1:9464", "address of /healthz, /readyz and /metrics"),
    setting("KEYWAY_DATA_DIR", "./data", "directory of the embedded database, the keyring and the spool"),
    setting("KEYWAY_DATABASE_URL", "", "postgres://... or sqlite://...; unset: SQLite in the data directory"),
    setting("KEYWAY_AMQP_URL", "", "amqp://... of RabbitMQ; unset: the embedded bus"),
    setting("KEYWAY_KEYRING", "", "the keyring file; unset: keyring.json in the data directory"),
    setting(
        "KEYWAY_ADMIN_KEY",
        "",
        "the admin key, at least 32 characters; unset: made at the first start and printed once",
    ),
    setting(
        "KEYWAY_MODELS_FILE",
        "",
        "a file that replaces the built-in models.yaml; a change of it is taken within seconds, whole, if it is valid",
    ),
    setting(
        "KEYWAY_TRUSTED_UPSTREAMS",
        "",
        "hosts allowed although private or without TLS, comma separated: 127.0.0.1:9100",
    ),
    setting(
        "KEYWAY_FALLBACK_OPENROUTER_KEY",
        "",
        "OpenRouter key of the operator, for projects that consent to it and calls that no integration serves",
    ),
    setting("KEYWAY_USAGE_INTERVAL_SECONDS", "900", "how often usage is fetched for every integration"),
    setting("KEYWAY_VERIFY_INTERVAL_SECONDS", "86400", "how often every key is verified again"),
    setting("KEYWAY_CONFIRM_AFTER_MS", "2000", "delay of the second probe that confirms a refused key"),
    setting("KEYWAY_RETENTION_DAYS", "30", "how long finished operations and verdicts are kept"),
    setting(
        "KEYWAY_DRIFT_PERCENT",
        "5",
        "a key is used outside Keyway when more percent of what is reported of a day was not metered",
    ),
    setting(
        "KEYWAY_LEDGER_DAYS",
        "400",
        "how long single metered calls, which are the request log, are kept; the sums of their days stay",
    ),
    setting("KEYWAY_CONCURRENCY", "64", "jobs at once in each of the verify and usage lanes of a worker process"),
    setting(
        "KEYWAY_PROVIDER_CONCURRENCY",
        "",
        "jobs of a worker process that call the same provider at once; unset: half of KEYWAY_CONCURRENCY",
    ),
    setting("KEYWAY_OUTBOX_MAX_ROWS", "1000000", "rows in the outbox at which new work is refused with 503"),
    setting(
        "KEYWAY_OUTBOX_MAX_AGE_SECONDS",
        "600",
        "how long the oldest due row may wait in the outbox before new work is refused with 503",
    ),
    setting("KEYWAY_DATABASE_CONNECTIONS", "10", "connections per database pool"),
    setting("KEYWAY_MAX_CONNECTIONS", "10000", "open client connections"),
    setting(
        "KEYWAY_IDLE_SECONDS",
        "75",
        "how long a client's connection may idle between two requests; balancers in front should keep theirs for less",
    ),
    setting(
        "KEYWAY_FIRST_BYTE_SECONDS",
        "1800",
        "how long providers may take to begin the answer to a proxied request, all attempts together",
    ),
    setting(
        "KEYWAY_CORS_ORIGINS",
        "*",
        "origins of web pages that may call /proxy and /v1, comma separated: https://app.example.com; *: any; none: no page",
    ),
    setting("KEYWAY_API_BODY_BYTES", "1048576", "largest body of a management request"),
    setting("KEYWAY_PROXY_BODY_BYTES", "33554432", "largest proxied body that has to be read before it is forwarded"),
    setting("KEYWAY_DRAIN_SECONDS", "25", "how long a graceful stop may take"),
    setting(
        "KEYWAY_LOG",
        "info,sqlx=warn,sea_orm_migration=warn,apalis_core=warn",
        "what is logged: info, or directives like info,keyway_bus=debug",
    ),
    setting("KEYWAY_LOG_FORMAT", "text", "text or json"),
];

/// What is wrong with the settings, and which one to change.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A name that no setting has: correct it or remove it.
    #[error("{0} is not a setting of Keyway; the settings are listed in .env.example")]
    Unknown(String),
    /// A value that cannot be used.
    #[error("{name} cannot be used: {why}")]
    Invalid {
        /// The setting.
        name: &'static str,
        /// What is wrong; never the value of a secret.
        why: String,
    },
    /// A file of variables is not there or not well formed.
    #[error("{} cannot be read: {problem}", file.display())]
    EnvFile {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

impl Config {
    /// Reads `.env` and the environment.
    ///
    /// # Errors
    /// [`ConfigError`] names the first setting that is wrong.
    #[expect(clippy::disallowed_methods, reason = "the only reader of the environment")]
    pub fn load() -> Result<Self, ConfigError> {
        Self::from_variables(
            Path::new(".env"),
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }

    /// The variables of the process, or of a file of lines NAME=value: where a team's provider keys may be. Those
    /// that are empty are left out.
    ///
    /// # Errors
    /// [`ConfigError::EnvFile`].
    #[expect(clippy::disallowed_methods, reason = "the only reader of the environment")]
    pub fn variables(file: Option<&Path>) -> Result<BTreeMap<String, SecretString>, ConfigError> {
        let variables: Vec<_> = match file {
            Some(file) => lines(file)?,
            None => std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
        };
        let set = variables.into_iter().filter(|(_, value)| !value.is_empty());
        Ok(set.map(|(name, value)| (name, SecretString::new(value))).collect())
    }

    /// As [`Config::load`], from a given `.env` file and given variables.
    ///
    /// # Errors
    /// [`ConfigError`] names the first setting that is wrong.
    pub fn from_variables(
        env_file: &Path,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut values = BTreeMap::new();
        if env_file.exists() {
            values.extend(lines(env_file)?);
        }
        values.extend(variables);
        values.retain(|name, _| name.starts_with("KEYWAY_"));
        if let Some(unknown) = values.keys().find(|name| SETTINGS.iter().all(|setting| setting.name != name.as_str())) {
            return Err(ConfigError::Unknown(unknown.clone()));
        }
        Values(values).config()
    }
}

fn lines(file: &Path) -> Result<Vec<(String, String)>, ConfigError> {
    let unreadable = |problem| ConfigError::EnvFile { file: file.to_owned(), problem };
    let lines = dotenvy::from_path_iter(file).map_err(|error| unreadable(error.to_string()))?;
    // The error of a line would quote it, and with it perhaps a secret.
    lines.map(|line| line.map_err(|_| unreadable("a line is not NAME=value".to_owned()))).collect()
}

const fn setting(name: &'static str, default: &'static str, meaning: &'static str) -> Setting {
    Setting { name, default, meaning }
}

struct Values(BTreeMap<String, String>);

impl Values {
    fn config(mut self) -> Result<Config, ConfigError> {
        let data_dir = PathBuf::from(self.text("KEYWAY_DATA_DIR"));
        let own_database = format!("sqlite://{}", data_dir.join("keyway.db").display());
        Ok(Config {
            listen: self.parsed("KEYWAY_LISTEN")?,
            ops_listen: self.parsed("KEYWAY_OPS_LISTEN")?,
            database_url: self
                .url("KEYWAY_DATABASE_URL", &["postgres", "postgresql", "sqlite"])?
                .unwrap_or(own_database.into()),
            amqp_url: self.url("KEYWAY_AMQP_URL", &["amqp", "amqps"])?,
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
            log_format: self.text("KEYWAY_LOG_FORMAT"),
            data_dir,
        })
    }

    /// The value, or the default; a variable that is set but empty counts as not set.
    fn text(&mut self, name: &'static str) -> String {
        let default = SETTINGS.iter().find(|setting| setting.name == name).map_or("", |setting| setting.default);
        self.0.remove(name).filter(|value| !value.is_empty()).unwrap_or_else(|| default.to_owned())
    }

    fn set(&mut self, name: &'static str) -> Option<String> {
        Some(self.text(name)).filter(|value| !value.is_empty())
    }

    fn parsed<T: FromStr<Err: Display>>(&mut self, name: &'static str) -> Result<T, ConfigError> {
        let text = self.text(name);
        text.parse().map_err(|error| ConfigError::Invalid { name, why: format!("{text:?}: {error}") })
    }

    fn number(&mut self, name: &'static str, range: std::ops::RangeInclusive<u64>) -> Result<u64, ConfigError> {
        let number = self.parsed(name)?;
        if range.contains(&number) {
            return Ok(number);
        }
        Err(ConfigError::Invalid {
            name,
            why: format!("{number} is not between {} and {}", range.start(), range.end()),
        })
    }

    fn size(&mut self, name: &'static str, range: std::ops::RangeInclusive<u64>) -> Result<usize, ConfigError> {
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

    fn url(&mut self, name: &'static str, schemes: &[&str]) -> Result<Option<SecretString>, ConfigError> {
        let Some(text) = self.set(name) else { return Ok(None) };
        // A password may be in the URL: the message never quotes it.
        let scheme = text.split_once(':').map(|(scheme, _)| scheme);
        if scheme.is_some_and(|scheme| schemes.contains(&scheme)) {
            return Ok(Some(text.into()));
        }
        Err(ConfigError::Invalid { name, why: format!("it must start with one of: {}", schemes.join(":, ") + ":") })
    }

    fn hosts(&mut self, name: &'static str) -> Result<Vec<String>, ConfigError> {
        let text = self.text(name);
        let hosts: Vec<String> =
            text.split(',').map(|host| host.trim().to_ascii_lowercase()).filter(|host| !host.is_empty()).collect();
        match hosts.iter().find(|host| host.contains('/') || host.contains('@') || host.contains('*')) {
            Some(host) => Err(ConfigError::Invalid { name, why: format!("{host:?} is not a host or host:port") }),
            None => Ok(hosts),
        }
    }

    /// The origins of pages that may call; `None`: all.
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
        match origins.iter().find(|origin| !is_origin(origin)) {
            Some(origin) => Err(ConfigError::Invalid {
                name,
                why: format!("{origin:?} is not an origin, like https://app.example.com; * is any, none is no page"),
            }),
            None => Ok(Some(origins)),
        }
    }

    fn fallback_key(&mut self) -> Result<Option<SecretString>, ConfigError> {
        let name = "KEYWAY_FALLBACK_OPENROUTER_KEY";
        match self.set(name) {
            Some(key) if !key.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Err(ConfigError::Invalid { name, why: "a key has no spaces and no signs beyond ASCII".to_owned() })
            }
            key => Ok(key.map(SecretString::from)),
        }
    }

    fn admin_key(&mut self) -> Result<Option<SecretString>, ConfigError> {
        let name = "KEYWAY_ADMIN_KEY";
        match self.set(name) {
            Some(key) if key.len() < 32 => Err(ConfigError::Invalid {
                name,
                why: "it must have at least 32 characters; one way to make it: openssl rand -hex 32".to_owned(),
            }),
            key => Ok(key.map(SecretString::from)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::from_variables(Path::new("/nonexistent/.env"), variables)
    }

    #[test]
    fn nothing_set_is_the_embedded_default() {
        let config = load(&[("HOME", "/root"), ("KEYWAY_KEYRING", "")]).unwrap();
        assert_eq!(config.database_url.expose(), "sqlite://./data/keyway.db");
        assert_eq!(config.keyring, Path::new("./data/keyring.json"));
        assert!(config.amqp_url.is_none() && config.admin_key.is_none());
        assert_eq!(config.usage_interval, Duration::from_secs(900));
        assert_eq!((config.cors_origins, config.first_byte), (None, Duration::from_secs(1800)));
        let origins = |text| load(&[("KEYWAY_CORS_ORIGINS", text)]).unwrap().cors_origins;
        assert_eq!(origins("none"), Some(Vec::new()));
        assert_eq!(
            origins("https://a.dev/, http://localhost:5173").unwrap(),
            ["https://a.dev", "http://localhost:5173"]
        );
    }

    #[test]
    fn what_is_wrong_is_named_and_no_secret_is_quoted() {
        let cases: &[(&str, &str)] = &[
            ("KEYWAY_LISTNE", "127.0.0.1:1"),
            ("KEYWAY_LISTEN", "localhost"),
            ("KEYWAY_DATABASE_URL", "mysql://canary@db"),
            ("KEYWAY_AMQP_URL", "http://canary"),
            ("KEYWAY_ADMIN_KEY", "canary"),
            ("KEYWAY_FALLBACK_OPENROUTER_KEY", "sk-or-v1- canary"),
            ("KEYWAY_CONCURRENCY", "0"),
            ("KEYWAY_TRUSTED_UPSTREAMS", "http://x"),
            ("KEYWAY_CORS_ORIGINS", "app.example.com"),
            ("KEYWAY_CORS_ORIGINS", "https://a.dev,https://*.b.dev"),
        ];
        for (name, value) in cases {
            let text = load(&[(name, value)]).unwrap_err().to_string();
            assert!(text.contains(name), "{text}");
            assert!(!text.contains("canary"), "{text}");
        }
        for name in ["KEYWAY_ADMIN_KEY", "KEYWAY_FALLBACK_OPENROUTER_KEY"] {
            let shown = format!("{:?}", load(&[(name, &"canary".repeat(8))]).unwrap());
            assert!(!shown.contains("canary"), "{name}");
        }
    }

    #[test]
    fn the_process_wins_over_the_env_file() {
        let path = std::env::temp_dir().join(format!("keyway-env-{}", std::process::id()));
        std::fs::write(&path, "KEYWAY_LISTEN=127.0.0.1:1111\nKEYWAY_CONCURRENCY=5\nOTHER=x\n").unwrap();
        let own = [("KEYWAY_CONCURRENCY".to_owned(), "7".to_owned())];
        let config = Config::from_variables(&path, own.into_iter()).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!((config.listen.port(), config.concurrency), (1111, 7));
    }
}
