//! The keyring file: root keys, outside the database. Losing it loses every secret, so it is never
//! overwritten and never made anew where data may exist (the caller decides that, see `keyway keys`).

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use keyway_domain::{TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::{
    Secret, VaultError, derive,
    envelope::SivKey,
    hex::{from_hex, to_hex},
};

/// Permitted uses of a root key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Opens only: shipped before its promotion, or superseded.
    DecryptOnly,
    /// Wraps new data keys; exactly one key has this state.
    Active,
    /// Kept for old backups only.
    Retired,
}

/// A value derived from a root key; tells keys apart without revealing them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckValue {
    /// The root key's version.
    pub version: u32,
    /// The derived value.
    pub value: [u8; 8],
}

/// The root keys.
pub struct Keyring {
    salt: [u8; 32],
    keys: Vec<RootKey>,
}

struct RootKey {
    version: u32,
    state: KeyState,
    created_at: Timestamp,
    key: Secret<[u8; 32]>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    salt: String,
    keys: Vec<FileKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileKey {
    version: u32,
    state: KeyState,
    created_at: Timestamp,
    key: String,
}

impl Drop for FileKey {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

/// Seed of the key that signs the audit log's checkpoints under one root key.
pub struct AuditSeed {
    /// Version of the root key.
    pub version: u32,
    /// Seed.
    pub seed: Secret<[u8; 32]>,
}

impl Keyring {
    /// Generates random keys: version 1, active.
    ///
    /// # Errors
    /// [`VaultError::Keyring`] when the system has no randomness.
    pub fn generate() -> Result<Self, VaultError> {
        let key = RootKey {
            version: 1,
            state: KeyState::Active,
            created_at: Timestamp::now(),
            key: Secret::new(derive::random()?),
        };
        Ok(Self { salt: derive::random()?, keys: vec![key] })
    }

    /// Writes the keyring to a new file with mode 0600.
    ///
    /// # Errors
    /// [`VaultError::Keyring`] when the file exists already or cannot be written; an existing file is
    /// never touched.
    pub fn create(&self, path: &Path) -> Result<(), VaultError> {
        self.write_new(path).map_err(|error| failure("write", path, &error))
    }

    /// Reads a keyring file.
    ///
    /// # Errors
    /// [`VaultError::Keyring`] with the needed change: file missing, readable by others, or malformed.
    pub fn load(path: &Path) -> Result<Self, VaultError> {
        let found = fs::metadata(path).map_err(|error| failure("read", path, &error))?;
        if !found.is_file() {
            return Err(VaultError::Keyring(format!(
                "{0} is a directory; name the file in it, like {0}/keyring.json",
                path.display()
            )));
        }
        let mode = found.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(VaultError::Keyring(format!(
                "{} may be read by others (mode {:o}); run: chmod 600 {}",
                path.display(),
                mode & 0o777,
                path.display()
            )));
        }
        let text = Zeroizing::new(fs::read_to_string(path).map_err(|error| failure("read", path, &error))?);
        Self::parse(&text).map_err(|why| VaultError::Keyring(format!("{}: {why}", path.display())))
    }

    /// Returns the version that wraps new data keys.
    #[must_use]
    pub fn active_version(&self) -> u32 {
        self.keys.iter().find(|key| key.state == KeyState::Active).map_or(0, |key| key.version)
    }

    /// Returns one check value per root key, in the file's order.
    #[must_use]
    pub fn check_values(&self) -> Vec<CheckValue> {
        self.keys
            .iter()
            .filter_map(|root| {
                let mut value = [0; 8];
                derive::derive(&self.salt, root.key.plain(), "kcv", root.version, b"", &mut value).ok()?;
                Some(CheckValue { version: root.version, value })
            })
            .collect()
    }

    /// Returns the key that wraps a tenant's data keys under one root version.
    pub(crate) fn derive_kek(&self, version: u32, tenant_id: TenantId) -> Result<SivKey, VaultError> {
        let root = self.keys.iter().find(|key| key.version == version).ok_or(VaultError::UnknownVersion(version))?;
        let mut kek = Zeroizing::new([0; 64]);
        let tenant = tenant_id.uuid();
        derive::derive(&self.salt, root.key.plain(), "kek", version, tenant.as_bytes(), kek.as_mut())?;
        Ok(Secret::new(*kek))
    }

    /// Returns the key of a tenant's request digests, under the active root key.
    pub(crate) fn derive_request_key(&self, tenant_id: TenantId) -> Result<Secret<[u8; 32]>, VaultError> {
        self.derive_for(self.active_version(), "request", tenant_id.uuid().as_bytes())
    }

    /// Returns the seeds of the audit log's signing keys, one for each root key; that of the active one comes first.
    pub(crate) fn derive_audit_seeds(&self) -> Result<Vec<AuditSeed>, VaultError> {
        let active = self.active_version();
        let mut versions: Vec<_> = self.keys.iter().map(|key| key.version).collect();
        versions.sort_unstable_by_key(|version| (*version != active, *version));
        let seed = |version| Ok(AuditSeed { version, seed: self.derive_for(version, "audit", b"")? });
        versions.into_iter().map(seed).collect()
    }

    fn derive_for(&self, version: u32, purpose: &str, context: &[u8]) -> Result<Secret<[u8; 32]>, VaultError> {
        let root = self.keys.iter().find(|key| key.version == version).ok_or(VaultError::UnknownVersion(version))?;
        let mut key = Zeroizing::new([0; 32]);
        derive::derive(&self.salt, root.key.plain(), purpose, version, context, key.as_mut())?;
        Ok(Secret::new(*key))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let file: File = serde_json::from_str(text).map_err(|error| format!("not a keyring file ({error})"))?;
        if file.format != 1 {
            return Err(format!("has format {}; this build reads format 1", file.format));
        }
        let keys = file.keys.iter().map(RootKey::from_file).collect::<Result<Vec<_>, _>>()?;
        let active = keys.iter().filter(|key| key.state == KeyState::Active).count();
        if active != 1 {
            return Err(format!("has {active} active keys; it needs exactly one"));
        }
        let mut versions: Vec<_> = keys.iter().map(|key| key.version).collect();
        versions.sort_unstable();
        if versions.windows(2).any(|pair| pair[0] == pair[1]) || versions[0] == 0 {
            return Err("key versions must be different and start at 1".to_owned());
        }
        Ok(Self { salt: read_hex(&file.salt)?, keys })
    }

    fn to_text(&self) -> Result<Zeroizing<String>, serde_json::Error> {
        let keys = self.keys.iter().map(|key| FileKey {
            version: key.version,
            state: key.state,
            created_at: key.created_at,
            key: to_hex(key.key.plain()),
        });
        let file = File { format: 1, salt: to_hex(&self.salt), keys: keys.collect() };
        serde_json::to_string_pretty(&file).map(Zeroizing::new)
    }

    /// Writes the file completely or not at all: a temporary file is synced, then linked to its name, which fails if
    /// the name exists.
    fn write_new(&self, path: &Path) -> io::Result<()> {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let temporary = directory.join(format!(".keyring-{}", uuid::Uuid::now_v7().simple()));
        let written = (|| {
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
            file.write_all(self.to_text()?.as_bytes())?;
            file.sync_all()?;
            fs::hard_link(&temporary, path)?;
            fs::File::open(directory)?.sync_all()
        })();
        fs::remove_file(&temporary)?;
        written
    }
}

impl RootKey {
    fn from_file(key: &FileKey) -> Result<Self, String> {
        let bytes = Secret::new(read_hex(&key.key)?);
        Ok(Self { version: key.version, state: key.state, created_at: key.created_at, key: bytes })
    }
}

fn failure(verb: &str, path: &Path, error: &io::Error) -> VaultError {
    VaultError::Keyring(format!("cannot {verb} {}: {error}", path.display()))
}

fn read_hex<const N: usize>(text: &str) -> Result<[u8; N], String> {
    from_hex(text).ok_or_else(|| format!("a key or salt must have {} hexadecimal digits", 2 * N))
}

#[cfg(test)]
impl Keyring {
    /// Returns the keyring of the known-answer tests.
    pub(crate) fn fixed(root: [u8; 32], salt: [u8; 32]) -> Self {
        let key =
            RootKey { version: 1, state: KeyState::Active, created_at: Timestamp::from_ms(0), key: Secret::new(root) };
        Self { salt, keys: vec![key] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("keyway-keyring-{}", uuid::Uuid::now_v7().simple()));
        fs::create_dir(&path).unwrap();
        path
    }

    #[test]
    fn a_keyring_file_is_private_loads_again_and_is_never_overwritten() {
        let path = directory().join("deep/keyring.json");
        let keyring = Keyring::generate().unwrap();
        keyring.create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file is left");
        assert_eq!(Keyring::load(&path).unwrap().check_values(), keyring.check_values());
        let before = fs::read(&path).unwrap();
        assert!(matches!(Keyring::generate().unwrap().create(&path), Err(VaultError::Keyring(_))));
        assert_eq!(fs::read(&path).unwrap(), before);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Keyring::load(&path), Err(VaultError::Keyring(why)) if why.contains("chmod 600")));
    }

    #[test]
    fn a_directory_is_not_to_be_made_private() {
        let directory = directory();
        let error = Keyring::load(&directory).err().unwrap().to_string();
        assert!(error.contains("is a directory") && error.contains("/keyring.json"), "{error}");
        assert!(!error.contains("chmod"), "{error}");
    }

    #[test]
    fn what_is_not_a_keyring_is_refused_with_a_reason() {
        let key = "00".repeat(32);
        let with = |keys: &str| format!(r#"{{"format":1,"salt":"{key}","keys":[{keys}]}}"#);
        let one = |version: u32, state: &str| {
            format!(r#"{{"version":{version},"state":"{state}","created_at":"2026-11-01T00:00:00Z","key":"{key}"}}"#)
        };
        let cases = [
            (String::new(), "not a keyring"),
            (r#"{"format":2,"salt":"","keys":[]}"#.to_owned(), "format 2"),
            (with(""), "0 active"),
            (with(&format!("{},{}", one(1, "active"), one(2, "active"))), "2 active"),
            (with(&format!("{},{}", one(1, "active"), one(1, "retired"))), "different"),
            (with(&one(1, "active")).replace(&key, "zz"), "digits"),
        ];
        for (text, reason) in cases {
            let error = Keyring::parse(&text).err().unwrap();
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert!(Keyring::parse(&with(&one(1, "active"))).is_ok());
    }
}
