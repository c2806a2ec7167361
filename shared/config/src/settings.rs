//! The list of settings. `.env.example` is checked against it.

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The variable's name.
    pub name: &'static str,
    /// Default value; empty: an unset variable has a meaning of its own.
    pub default: &'static str,
    /// Meaning, one line.
    pub meaning: &'static str,
}

/// All settings.
pub const SETTINGS: &[Setting] = &[
    setting("KEYWAY_LISTEN", "127.0.0.1:8080", "address of the API and the proxy"),
    setting("KEYWAY_OPS_LISTEN", "127.0.0.1:9464", "address of /healthz, /readyz and /metrics"),
    setting("KEYWAY_DATA_DIR", "./data", "directory of the embedded database, the keyring and the spool"),
    setting(
        "KEYWAY_DATABASE_URL",
        "",
        "postgres://user:password@host:5432/name?sslmode=verify-full, all in docs/databases.md, or sqlite://...; unset: SQLite in the data directory",
    ),
    setting(
        "KEYWAY_AMQP_URL",
        "",
        "amqp://... of RabbitMQ, several nodes with commas between; unset: the embedded bus",
    ),
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

const fn setting(name: &'static str, default: &'static str, meaning: &'static str) -> Setting {
    Setting { name, default, meaning }
}
