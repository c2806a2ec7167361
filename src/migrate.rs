//! `keyway migrate`: brings the schema up to date. Two at once are safe: one waits for the other.

use anyhow::Context as _;
use keyway_config::Config;

/// Runs every migration that is missing.
///
/// # Errors
/// The database is away or refuses a statement.
pub(crate) async fn run(config: &Config) -> anyhow::Result<()> {
    keyway_migrations::migrate(config.database_url.expose()).await.context("migrating the database")?;
    tracing::info!("the database's schema is up to date");
    Ok(())
}
