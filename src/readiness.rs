//! Readiness: what a process needs to do its work, looked at anew with each `/readyz`.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use keyway_bus::Bus;
use keyway_store::{Store, TenantKeyCache};
use keyway_telemetry::Readiness;

/// Bytes that have to fit on a disk.
const PROBE_BYTES: usize = 64 << 10;

/// Needs of this process, once its role has told them, or the reason why it will not work.
#[derive(Clone, Default)]
pub(crate) struct Ready(Arc<OnceLock<Result<Needs, String>>>);

/// Dependencies without which a process cannot work.
pub(crate) struct Needs {
    pub(crate) store: Store,
    pub(crate) keys: TenantKeyCache,
    /// The bus, if all work comes from it.
    pub(crate) bus: Option<Arc<dyn Bus>>,
    /// Directories that it writes to.
    pub(crate) directories: Vec<PathBuf>,
}

impl Ready {
    /// Tells what the process needs. Once: what is told later changes nothing.
    pub(crate) fn needs(&self, needs: Needs) {
        let _ = self.0.set(Ok(needs));
    }

    /// Tells why the process will not work.
    pub(crate) fn never(&self, why: String) {
        let _ = self.0.set(Err(why));
    }

    /// Returns the check of all of it.
    pub(crate) fn check(&self) -> Readiness {
        let told = Arc::clone(&self.0);
        Arc::new(move || {
            let told = Arc::clone(&told);
            Box::pin(async move {
                let told = told.get().ok_or("it is starting; the database may not be there yet")?;
                told.as_ref().map_err(Clone::clone)?.check().await
            })
        })
    }
}

impl Needs {
    async fn check(&self) -> Result<(), String> {
        if self.keys.vault().sealed_reason().is_some() {
            return Err("the vault is sealed; the log says why".to_owned());
        }
        if let Some(health) = self.bus.as_ref().map(|bus| bus.health())
            && !(health.connected && health.lanes.iter().any(|lane| lane.consuming))
        {
            let why = health.errors.first().map_or_else(|| "no lane is consumed yet".to_owned(), ToString::to_string);
            return Err(format!("the broker brings no work: {why}"));
        }
        let directories = self.directories.clone();
        let written = tokio::task::spawn_blocking(move || directories.iter().try_for_each(|it| is_writable(it)));
        written.await.map_err(|error| error.to_string())??;
        self.store.ping().await.map_err(|error| error.to_string())
    }
}

/// Writes into a directory, as a call is written down, and takes it away again.
fn is_writable(directory: &Path) -> Result<(), String> {
    let probe = directory.join(format!(".ready-{}", std::process::id()));
    let written = File::create(&probe).and_then(|mut file| file.write_all(&[0; PROBE_BYTES]));
    let removed = match fs::remove_file(&probe) {
        // Another look may have been faster.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    };
    written.and(removed).map_err(|error| format!("{} cannot be written to: {error}", directory.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_looked_at_each_time() {
        let directory = std::env::temp_dir().join(format!("keyway-ready-{}", std::process::id()));
        let why = is_writable(&directory).unwrap_err();
        assert!(why.contains("cannot be written to: No such file"), "{why}");
        fs::create_dir(&directory).unwrap();
        assert_eq!(is_writable(&directory), Ok(()));
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
        fs::remove_dir(&directory).unwrap();
    }
}
