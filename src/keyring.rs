//! From the keyring file and the database's record of it to a vault, open or sealed.
//!
//! A keyring is created only for a database that has never seen one. Any other mismatch seals the process: it serves
//! health, refuses to decrypt, and never makes a new keyring.

use std::{fs, io, path::Path};

use keyway_config::Config;
use keyway_store::{Store, SystemTx, data_keys, settings};
use keyway_vault::{Keyring, Vault, VaultError, to_hex};

use crate::{
    mark::{self, Mark},
    places,
};

/// Prefix of the settings that record a root key version's check value.
const PREFIX: &str = "keyring.check.";

/// Outcome of the look at keyring and database.
pub(crate) enum Opened {
    /// The vault, open or sealed.
    Vault(Vault),
    /// The database has never seen a keyring, and this one has sealed something: the database it belongs to is missing.
    Lost(String),
}

/// Opens the vault of this installation.
///
/// # Errors
/// The database is away, or a fresh keyring cannot be written.
pub(crate) async fn open(config: &Config, store: &Store) -> anyhow::Result<Opened> {
    let tx = store.system().await?;
    let recorded = settings::with_prefix(&tx, PREFIX).await?;
    let keyring = match Keyring::load(&config.process.keyring) {
        Ok(keyring) => keyring,
        Err(_) if recorded.is_empty() && !config.process.keyring.exists() => create(config)?,
        Err(error) => return Ok(Opened::Vault(sealed(format!("KEYWAY_KEYRING: {error}")))),
    };
    let mark = Mark::of(config);
    if recorded.is_empty()
        && let Some(found) = mark.found(&keyring)
    {
        return Ok(Opened::Lost(lost(config, "holds nothing yet", found)));
    }
    let fits = match check(&keyring, &recorded) {
        // Checked again against what really is recorded: another host's first start may have been faster.
        Ok(()) => check(&keyring, &record(&tx, &keyring).await?),
        misfit => misfit,
    };
    match fits {
        Ok(()) => {
            let has_sealed = !data_keys::page_of_all(&tx, None, 1).await?.is_empty();
            tx.commit().await?;
            let values = mark::text(&keyring);
            if has_sealed && mark.found(&keyring).is_none() {
                note(&mark, &values);
            }
            Ok(Opened::Vault(Vault::open(keyring).tells(move || note(&mark, &values))))
        }
        Err(why) => Ok(Opened::Vault(sealed(format!("{}: {why}", config.process.keyring.display())))),
    }
}

/// Returns the reason why a database that is a file must not be made anew: it is missing or empty, and the keyring has
/// sealed something.
pub(crate) fn lost_database(config: &Config) -> Option<String> {
    let what = match fs::metadata(places::database_file(config)?) {
        Ok(found) if found.len() == 0 => "is empty",
        Err(error) if error.kind() == io::ErrorKind::NotFound => "is not there",
        _ => return None,
    };
    let keyring = Keyring::load(&config.process.keyring).ok()?;
    Some(lost(config, what, Mark::of(config).found(&keyring)?))
}

fn lost(config: &Config, what: &str, mark: &Path) -> String {
    format!(
        "{} {what}, but the keyring {} has sealed secrets: put the database back from its backup and start again, or remove \
         {} to begin anew with this keyring",
        places::database_name(config),
        config.process.keyring.display(),
        mark.display()
    )
}

/// Notes that the keyring is about to seal something.
fn note(mark: &Mark, values: &[String]) {
    if let Err(error) = mark.set(values) {
        tracing::warn!(%error, "it cannot be noted that the keyring is in use; should the database be lost, it is made anew");
    }
}

/// Checks that the keyring is the one this database was sealed with; the error names the difference.
pub(crate) fn check(keyring: &Keyring, recorded: &[(String, String)]) -> Result<(), String> {
    let values = keyring.check_values();
    for (name, recorded) in recorded {
        let version = name.trim_start_matches(PREFIX);
        match values.iter().find(|value| value.version.to_string() == version) {
            None => return Err(format!("it lacks root key version {version}, which this database needs")),
            Some(value) if to_hex(&value.value) != *recorded => {
                return Err(format!("its root key version {version} is not the one this database was sealed with"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Returns the check values that the database has recorded.
///
/// # Errors
/// The database is away.
pub(crate) async fn recorded(tx: &SystemTx) -> anyhow::Result<Vec<(String, String)>> {
    Ok(settings::with_prefix(tx, PREFIX).await?)
}

/// Writes a fresh keyring and prints that it must be backed up.
///
/// # Errors
/// [`VaultError::Keyring`] if it cannot be written.
pub(crate) fn create(config: &Config) -> Result<Keyring, VaultError> {
    let keyring = Keyring::generate()?;
    match keyring.create(&config.process.keyring) {
        Ok(()) => {}
        // Two processes start together: the other one was first.
        Err(_) if config.process.keyring.exists() => return Keyring::load(&config.process.keyring),
        Err(error) => return Err(error),
    }
    crate::say::line(&format!(
        "Created the keyring {}.\nBack it up now, and keep it apart from backups of the database: \
         restoring needs both, and without the keyring no stored key can ever be read again.",
        config.process.keyring.display()
    ));
    Ok(keyring)
}

/// Records check values that are missing; returns all recorded ones.
async fn record(tx: &SystemTx, keyring: &Keyring) -> anyhow::Result<Vec<(String, String)>> {
    for value in keyring.check_values() {
        settings::put_if_absent(tx, &format!("{PREFIX}{}", value.version), &to_hex(&value.value)).await?;
    }
    recorded(tx).await
}

fn sealed(why: String) -> Vault {
    tracing::error!(
        why,
        "the vault is sealed: nothing is decrypted until the right keyring is back and Keyway is started again"
    );
    Vault::sealed(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_recorded_keyring_fits() {
        let keyring = Keyring::generate().unwrap();
        let value = keyring.check_values()[0];
        let own = vec![(format!("{PREFIX}1"), to_hex(&value.value))];
        assert_eq!(check(&keyring, &[]), Ok(()));
        assert_eq!(check(&keyring, &own), Ok(()));
        assert!(check(&Keyring::generate().unwrap(), &own).unwrap_err().contains("not the one"));
        assert!(
            check(&keyring, &[(format!("{PREFIX}2"), String::new())]).unwrap_err().contains("lacks root key version 2")
        );
    }
}
