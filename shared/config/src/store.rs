//! Settings of the database.
//!
//! A setting is a line here and one in `.env.example`.

use std::path::Path;

use keyway_vault::{PostgresUrl, SecretString};

use crate::{
    ConfigError, Setting,
    setting::setting,
    values::{Values, invalid},
};

pub(crate) const DATABASE_URL: Setting = setting(
    "KEYWAY_DATABASE_URL",
    "",
    "postgres://user:password@host:5432/name?sslmode=verify-full, all in docs/databases.md, or sqlite://...; unset: SQLite in the data directory",
);
const DATABASE_CONNECTIONS: Setting = setting("KEYWAY_DATABASE_CONNECTIONS", "10", "connections per database pool");

/// Every one of them.
pub(crate) const SETTINGS: &[Setting] = &[DATABASE_URL, DATABASE_CONNECTIONS];

/// Settings of the database.
#[derive(Debug)]
pub struct StoreConfig {
    /// URL of the database: PostgreSQL, or SQLite in the data directory.
    pub database_url: SecretString,
    /// Connections per database pool.
    pub database_connections: u32,
}

impl StoreConfig {
    /// Reads them.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] names the first that is wrong.
    pub(crate) fn read(values: &mut Values, data_dir: &Path) -> Result<Self, ConfigError> {
        Ok(Self {
            database_url: database_url(values, data_dir)?,
            database_connections: values
                .number(&DATABASE_CONNECTIONS, 2..=1000)
                .map(|n| u32::try_from(n).unwrap_or(10))?,
        })
    }
}

fn database_url(values: &mut Values, data_dir: &Path) -> Result<SecretString, ConfigError> {
    let Some(url) = values.url(&DATABASE_URL, &["postgres", "postgresql", "sqlite"])? else {
        return Ok(format!("sqlite://{}", data_dir.join("keyway.db").display()).into());
    };
    if PostgresUrl::is_one(url.plain()) {
        PostgresUrl::parse(url.plain()).map_err(|fault| invalid(&DATABASE_URL, fault.to_string()))?;
    }
    Ok(url)
}
