//! `keyway keys`: create and check the keyring.

use anyhow::{Context as _, bail};
use clap::Subcommand;
use keyway_config::Config;
use keyway_domain::DataKeyId;
use keyway_store::{Store, TenantKeyCache, data_keys};
use keyway_vault::{Keyring, Vault};

use crate::{keyring, parts, say};

/// Commands on the keyring.
#[derive(Subcommand)]
pub(crate) enum Keys {
    /// Create the keyring file with a first root key; an existing file is never touched
    Init {
        /// Succeed without doing anything when the file exists
        #[arg(long)]
        if_missing: bool,
    },
    /// Check that the keyring is the database's and that every data key opens with it
    Verify,
}

/// Runs one of these commands.
///
/// # Errors
/// A failure, with the remedy.
pub(crate) async fn run(config: &Config, keys: Keys) -> anyhow::Result<()> {
    match keys {
        Keys::Init { if_missing } => init(config, if_missing),
        Keys::Verify => verify(config).await,
    }
}

fn init(config: &Config, if_missing: bool) -> anyhow::Result<()> {
    if config.keyring.is_dir() {
        bail!(
            "KEYWAY_KEYRING: {0} is a directory; name the file in it, like {0}/keyring.json",
            config.keyring.display()
        );
    }
    if config.keyring.exists() {
        if if_missing {
            return Ok(());
        }
        bail!("{} exists and is left as it is", config.keyring.display());
    }
    keyring::create(config)?;
    Ok(())
}

async fn verify(config: &Config) -> anyhow::Result<()> {
    let keyring = Keyring::load(&config.keyring).context("KEYWAY_KEYRING")?;
    let store = parts::connect(config).await?;
    let tx = store.system_read().await?;
    let recorded = keyring::recorded(&tx).await?;
    drop(tx);
    if let Err(why) = keyring::check(&keyring, &recorded) {
        bail!("{}: {why}", config.keyring.display());
    }
    let (opened, broken) = unwrap_all(&store, keyring).await?;
    say::line(&format!(
        "{}: {} root key(s) recorded by the database, {opened} data key(s) open, {} do not",
        config.keyring.display(),
        recorded.len(),
        broken.len()
    ));
    if !broken.is_empty() {
        bail!("these data keys do not open with this keyring: {broken:?}");
    }
    Ok(())
}

async fn unwrap_all(store: &Store, keyring: Keyring) -> anyhow::Result<(usize, Vec<DataKeyId>)> {
    let keys = TenantKeyCache::new(std::sync::Arc::new(Vault::open(keyring)));
    let (mut opened, mut broken, mut after) = (0, Vec::new(), None);
    loop {
        let tx = store.system_read().await?;
        let page = data_keys::page_of_all(&tx, after, 500).await?;
        let Some(last) = page.last() else { return Ok((opened, broken)) };
        after = Some(last.id);
        for row in page {
            let id = row.id;
            match keys.unwrapped(row) {
                Ok(_) => opened += 1,
                Err(_) => broken.push(id),
            }
        }
    }
}
