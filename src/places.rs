//! Places on this machine that settings name: addresses, directories, the database file. Each message names the setting
//! to change; none has a URL, which may hold a password.

use std::{
    fs, io,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use anyhow::{anyhow, bail};
use keyway_config::Config;
use keyway_vault::PostgresUrl;
use tokio::net::TcpListener;

/// Setting for the address of the API and the proxy.
pub(crate) const LISTEN: &str = "KEYWAY_LISTEN";
/// Setting for the address of health and metrics.
pub(crate) const OPS_LISTEN: &str = "KEYWAY_OPS_LISTEN";
/// Setting for the data directory.
pub(crate) const DATA_DIR: &str = "KEYWAY_DATA_DIR";

/// Listens on an address.
///
/// # Errors
/// The address is taken, or not this machine's.
pub(crate) async fn listen(setting: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            anyhow!("{setting}: {address} is in use; stop what listens there, or set {setting} to another address")
        }
        _ => anyhow!("{setting}: {address} cannot be listened on: {error}"),
    })
}

/// Checks that addresses are free, before anything is made. They are released again: a process that waits for its
/// database must not accept calls that it cannot answer.
///
/// # Errors
/// As for [`listen`].
pub(crate) async fn require_addresses(config: &Config, settings: &[&str]) -> anyhow::Result<()> {
    for setting in settings {
        let address = if *setting == LISTEN { config.api.listen } else { config.process.ops_listen };
        drop(listen(setting, address).await?);
    }
    Ok(())
}

/// Makes a directory that a setting names, readable by its owner only, if it is missing.
///
/// # Errors
/// The path is a file, or not writable.
pub(crate) fn make_directory(setting: &str, path: &Path) -> anyhow::Result<()> {
    let shown = path.display();
    if path.exists() && !path.is_dir() {
        bail!("{setting}: {shown} is a file; name a directory");
    }
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    let probe = path.join(format!(".keyway-{}", std::process::id()));
    let written = made.and_then(|()| fs::File::create(&probe)).and_then(|_| fs::remove_file(&probe));
    written.map_err(|error| {
        anyhow!("{setting}: {shown} cannot be written to ({error}); name a directory that this user may write to")
    })
}

/// Returns the path of an SQLite database; `None` for PostgreSQL and for one in memory.
pub(crate) fn database_file(config: &Config) -> Option<PathBuf> {
    let path = config.store.database_url.plain().strip_prefix("sqlite:")?;
    let path = path.strip_prefix("//").unwrap_or(path).split('?').next().unwrap_or_default();
    (!path.is_empty() && path != ":memory:").then(|| PathBuf::from(path))
}

/// Returns `true` if the database is a file that does not exist yet.
pub(crate) fn is_database_missing(config: &Config) -> bool {
    database_file(config).is_some_and(|file| !file.exists())
}

/// Returns the database's name for messages: its file, or its name, host and port on a server.
pub(crate) fn database_name(config: &Config) -> String {
    match (database_file(config), PostgresUrl::parse(config.store.database_url.plain())) {
        (Some(file), _) => format!("the database {}", file.display()),
        (None, Ok(url)) => format!("the database {}", url.name()),
        (None, Err(_)) => "the database of KEYWAY_DATABASE_URL".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str) -> Config {
        let set = [("KEYWAY_DATABASE_URL".to_owned(), url.to_owned())];
        Config::from_variables(Path::new("/nonexistent/.env"), set.into_iter()).unwrap()
    }

    #[test]
    fn a_database_is_called_by_its_file_and_never_by_its_url() {
        for (url, file) in [
            ("", Some("./data/keyway.db")),
            ("sqlite:///var/lib/keyway.db?mode=rwc", Some("/var/lib/keyway.db")),
            ("sqlite:own.db", Some("own.db")),
            ("sqlite::memory:", None),
            ("postgres://keyway:canary@db/keyway", None),
        ] {
            let config = config(url);
            assert_eq!(database_file(&config).as_deref(), file.map(Path::new), "{url}");
            assert!(!database_name(&config).contains("canary"));
        }
        let name = database_name(&config("postgres://keyway:canary@db1,db2:5433/keyway"));
        assert_eq!(name, "the database keyway at db1:5432, db2:5433");
    }

    #[tokio::test]
    async fn an_address_that_is_taken_is_named_with_its_setting() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let error = listen(LISTEN, address).await.unwrap_err().to_string();
        assert!(error.contains(&address.to_string()) && error.contains("set KEYWAY_LISTEN to another"), "{error}");
        let foreign = listen(OPS_LISTEN, "192.0.2.1:1".parse().unwrap()).await.unwrap_err().to_string();
        assert!(foreign.starts_with("KEYWAY_OPS_LISTEN: 192.0.2.1:1"), "{foreign}");
    }

    #[test]
    fn a_directory_is_one_that_can_be_written_to() {
        let directory = std::env::temp_dir().join(format!("keyway-places-{}", std::process::id()));
        make_directory(DATA_DIR, &directory.join("deep")).unwrap();
        assert_eq!(fs::read_dir(directory.join("deep")).unwrap().count(), 0, "nothing is left");
        let file = directory.join("file");
        fs::write(&file, "").unwrap();
        let error = make_directory(DATA_DIR, &file).unwrap_err().to_string();
        assert!(error.starts_with("KEYWAY_DATA_DIR: ") && error.ends_with("is a file; name a directory"), "{error}");
        let error = make_directory(DATA_DIR, &file.join("below")).unwrap_err().to_string();
        assert!(error.contains("cannot be written to") && error.contains("name a directory that"), "{error}");
        fs::remove_dir_all(&directory).unwrap();
    }
}
