//! `keyway migrate`: brings the schema up to date. Two processes at once are safe: one waits for the other.

use std::path::Path;

use anyhow::{Context as _, bail};
use keyway_config::Config;

use crate::{keyring, places};

/// Runs every missing migration.
///
/// # Errors
/// The database is away or refuses a statement.
pub(crate) async fn run(config: &Config) -> anyhow::Result<()> {
    if let Some(why) = keyring::lost_database(config) {
        bail!(why);
    }
    if let Some(directory) = places::database_file(config).as_deref().and_then(Path::parent)
        && !directory.as_os_str().is_empty()
    {
        let is_own = directory == config.process.data_dir;
        places::make_directory(if is_own { places::DATA_DIR } else { "KEYWAY_DATABASE_URL" }, directory)?;
    }
    let migrated = keyway_migrations::migrate(config.store.database_url.plain()).await;
    migrated.with_context(|| format!("migrating {}", places::database_name(config)))?;
    tracing::info!("the database's schema is up to date");
    Ok(())
}
