//! The calls under way of one process, in one file: each has a place of its own from before its provider is called
//! until its record is in a segment. Places that are filled when the process is gone were never recorded, and are
//! settled as unknown.
//!
//! A write is in the kernel's memory when it returns: it survives the process, however it dies, but not the machine.
//! The file has as many places as there were ever concurrent calls, and no call waits for a disk.

use std::{
    borrow::Cow,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use keyway_domain::{CredentialSource, MeteredCall, ProjectId, RequestId, ServedBy, TenantId, Timestamp, VirtualKeyId};
use keyway_telemetry::{OnceAMinute, fails};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::found::Found;

/// Extension of these files.
pub(crate) const EXTENSION: &str = "calls";
/// Largest number of calls under way and unwritten records, together.
const PLACES: u32 = 32 << 10;
/// Size of a place in bytes, enough for all but exceedingly long paths and models, which are cut.
const PLACE_BYTES: usize = 1024;
const CUT_PATH_CHARS: usize = 64;

/// The calls under way of this process.
pub(crate) struct UnderWay {
    /// File that is locked as long as it is open.
    file: File,
    path: PathBuf,
    places: Mutex<Places>,
}

/// A place in the file. Dropping it frees the place for another call; its content is cleared by the next
/// [`UnderWay::clear`].
pub(crate) struct Place {
    calls: Arc<UnderWay>,
    index: u32,
}

/// Facts about a call, known before its provider is called.
#[derive(Serialize, Deserialize)]
pub(crate) struct Admission<'a> {
    pub(crate) tenant_id: TenantId,
    pub(crate) request_id: RequestId,
    pub(crate) project_id: ProjectId,
    pub(crate) virtual_key_id: VirtualKeyId,
    #[serde(rename = "integration_id")]
    pub(crate) served_by: ServedBy,
    #[serde(default, skip_serializing_if = "CredentialSource::is_own")]
    pub(crate) credential: CredentialSource,
    pub(crate) provider: Cow<'a, str>,
    pub(crate) model: Option<Cow<'a, str>>,
    pub(crate) path: Cow<'a, str>,
    pub(crate) started_at: Timestamp,
    pub(crate) attempts: u16,
}

#[derive(Default)]
struct Places {
    /// Free, and empty in the file.
    empty: Vec<u32>,
    /// Free, but with old content in the file.
    stale: Vec<u32>,
    /// Number of places ever used.
    made: u32,
}

impl UnderWay {
    /// Creates a file in `directory` for this process.
    pub(crate) fn create(directory: &Path) -> io::Result<Arc<Self>> {
        let (file, path) = create_locked(directory, EXTENSION)?;
        Ok(Arc::new(Self { file, path, places: Mutex::default() }))
    }

    /// Returns a free place; `None` if there are too many calls.
    pub(crate) fn place(self: &Arc<Self>) -> Option<Place> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        // A stale one first: while calls come, few places are used again and again.
        let index = match places.stale.pop().or_else(|| places.empty.pop()) {
            Some(index) => index,
            None if places.made < PLACES => {
                places.made += 1;
                places.made - 1
            }
            None => return None,
        };
        drop(places);
        Some(Place { calls: Arc::clone(self), index })
    }

    /// Clears the places of calls whose records are written.
    pub(crate) fn clear(&self) {
        let stale = std::mem::take(&mut self.places.lock().unwrap_or_else(PoisonError::into_inner).stale);
        let (mut emptied, mut left) = (Vec::new(), Vec::new());
        for index in stale {
            match self.file.write_all_at(&[0; PLACE_BYTES], offset(index)) {
                Ok(()) => emptied.push(index),
                Err(error) => {
                    static TOLD: OnceAMinute = OnceAMinute::new();
                    if let Some(held_back) = TOLD.passes() {
                        tracing::warn!(%error, held_back, "the place of a call cannot be emptied; trying again");
                    }
                    left.push(index);
                }
            }
        }
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.empty.append(&mut emptied);
        places.stale.append(&mut left);
    }

    /// Removes the file: no call is under way any more, and none will be.
    pub(crate) fn remove(&self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, file = %self.path.display(), "a file of calls under way cannot be removed");
        }
    }
}

impl Place {
    /// Writes the call into the place. Once this returns, the call outlives the process.
    ///
    /// # Errors
    /// The disk: the call must not be made.
    pub(crate) fn write(&self, admission: &Admission<'_>) -> io::Result<()> {
        let mut line = [0; PLACE_BYTES];
        let length = match encode(&mut line, admission) {
            Ok(length) => length,
            Err(_) => encode(&mut line, &admission.cut())?,
        };
        if fails("spool.admit") {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.calls.file.write_all_at(&line[..length], offset(self.index))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.calls.places.lock().unwrap_or_else(PoisonError::into_inner).stale.push(self.index);
    }
}

impl Admission<'_> {
    /// Returns the admission with shortened texts.
    fn cut(&self) -> Admission<'_> {
        let path: String = self.path.chars().take(CUT_PATH_CHARS).collect();
        Admission { model: None, path: path.into(), provider: Cow::Borrowed(&self.provider), ..*self }
    }

    /// Returns the settled call, whose end is unknown.
    fn settled(self) -> MeteredCall {
        let by = (self.project_id, self.virtual_key_id);
        let call = MeteredCall::begun(self.request_id, by, self.served_by, self.provider, self.path, self.started_at);
        MeteredCall {
            credential: self.credential,
            model: self.model.map(Cow::into_owned),
            attempts: self.attempts,
            settled: true,
            ..call
        }
    }
}

/// Returns the calls that a process had under way when it died; `text` is its whole file.
pub(crate) fn settle(text: &[u8]) -> Found {
    let mut found = Found::default();
    for (at, place) in text.chunks(PLACE_BYTES).enumerate().filter(|(_, place)| place[0] != 0) {
        let line = place.split(|byte| *byte == b'\n').next().unwrap_or_default();
        match serde_json::from_slice::<Admission<'_>>(line) {
            Ok(admission) => found.add(admission.tenant_id, admission.settled()),
            Err(error) => found.set_aside(at + 1, line, format!("it is no call ({:?} error)", error.classify())),
        }
    }
    found
}

/// Creates a file that only this process uses as long as it is open. It is named after it is locked: otherwise another
/// process could take it for one of a dead process.
pub(crate) fn create_locked(directory: &Path, extension: &str) -> io::Result<(File, PathBuf)> {
    let path = directory.join(format!("{}.{extension}", Uuid::now_v7().simple()));
    let unlocked = path.with_extension("new");
    let file = File::options().write(true).create_new(true).open(&unlocked)?;
    file.try_lock()?;
    fs::rename(unlocked, &path)?;
    Ok((file, path))
}

fn offset(index: u32) -> u64 {
    u64::from(index) * PLACE_BYTES as u64
}

fn encode(line: &mut [u8; PLACE_BYTES], admission: &Admission<'_>) -> io::Result<usize> {
    let mut rest = &mut line[..];
    serde_json::to_writer(&mut rest, admission)?;
    rest.write_all(b"\n")?;
    Ok(PLACE_BYTES - rest.len())
}

#[cfg(test)]
#[path = "under_way_tests.rs"]
mod tests;
