//! The mark of a keyring that has sealed something: a file beside it, or in the data directory where nothing can be written
//! beside it. With it, a database that has never seen a keyring is known to be the wrong one.

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use keyway_config::Config;
use keyway_vault::{Keyring, to_hex};

/// Extension of the mark, behind that of the keyring.
const EXTENSION: &str = "used";

/// Places where the mark can be.
#[derive(Clone)]
pub(crate) struct Mark([PathBuf; 2]);

impl Mark {
    /// Returns the places of this installation's mark.
    pub(crate) fn of(config: &Config) -> Self {
        let keyring = &config.process.keyring;
        let beside = keyring.with_added_extension(EXTENSION);
        let name = beside.file_name().map_or_else(|| PathBuf::from(EXTENSION), PathBuf::from);
        let in_data = config.process.data_dir.join(name);
        Self([beside, in_data])
    }

    /// Returns the mark that says that this keyring has sealed something.
    pub(crate) fn found(&self, keyring: &Keyring) -> Option<&Path> {
        let own = text(keyring);
        let says = |path: &&PathBuf| {
            fs::read_to_string(path).is_ok_and(|known| known.lines().any(|line| own.iter().any(|value| value == line)))
        };
        self.0.iter().find(says).map(PathBuf::as_path)
    }

    /// Marks the keyring, if it is not yet.
    ///
    /// # Errors
    /// Neither place can be written to.
    pub(crate) fn set(&self, keyring: &[String]) -> io::Result<()> {
        let [beside, in_data] = &self.0;
        write(beside, keyring).or_else(|_| write(in_data, keyring))
    }
}

/// Returns the check values of a keyring, as the mark holds them.
pub(crate) fn text(keyring: &Keyring) -> Vec<String> {
    keyring.check_values().iter().map(|value| to_hex(&value.value)).collect()
}

fn write(path: &Path, lines: &[String]) -> io::Result<()> {
    let begun = path.with_added_extension("begun");
    let mut file = fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(&begun)?;
    file.write_all((lines.join("\n") + "\n").as_bytes())?;
    file.sync_all()?;
    fs::rename(begun, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_of_one_keyring() {
        let directory = std::env::temp_dir().join(format!("keyway-mark-{}", std::process::id()));
        fs::create_dir_all(directory.join("data")).unwrap();
        let mark =
            |at: &str| Mark([directory.join(at).join("keyring.json.used"), directory.join("data/keyring.json.used")]);
        let [own, other] = [(); 2].map(|()| Keyring::generate().unwrap());
        for (at, expected) in [("", "keyring.json.used"), ("nowhere", "data/keyring.json.used")] {
            assert!(mark(at).found(&own).is_none());
            mark(at).set(&text(&own)).unwrap();
            assert_eq!(mark(at).found(&own), Some(directory.join(expected).as_path()));
            assert!(mark(at).found(&other).is_none());
            fs::remove_file(directory.join(expected)).unwrap();
        }
        fs::remove_dir_all(&directory).unwrap();
    }
}
