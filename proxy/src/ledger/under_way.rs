//! The calls under way of one process, in one file: each has a place of its own from before its provider is
//! called until its record is in a segment. What stands there once the process is gone was never recorded, and
//! is settled as unknown.
//!
//! A write is in the kernel's memory when it returns: it survives the process, however it dies, but not the
//! machine. The file is as long as there were ever calls at once, and no call waits for a disk.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use keyway_domain::{
    CredentialSource, IntegrationId, MeteredCall, ProjectId, RequestId, TenantId, Timestamp, VirtualKeyId,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What the names of these files end with.
pub(crate) const EXTENSION: &str = "calls";
/// Calls under way and records not yet written, together.
const PLACES: u32 = 32 << 10;
/// Enough for every call whose path and model are not exceedingly long; they are cut where it is not.
const PLACE_BYTES: usize = 1024;
const CUT_PATH_CHARS: usize = 64;

/// The calls under way of this process.
pub(crate) struct UnderWay {
    /// Locked as long as it is open.
    file: File,
    path: PathBuf,
    places: Mutex<Places>,
}

/// A place in the file. Dropped, it is free for another call; what stands in it goes with the next
/// [`UnderWay::clear`].
pub(crate) struct Place {
    calls: Arc<UnderWay>,
    index: u32,
}

/// What has to be known of a call before its provider is called.
#[derive(Serialize, Deserialize)]
pub(crate) struct Admission<'a> {
    pub(crate) tenant_id: TenantId,
    pub(crate) request_id: RequestId,
    pub(crate) project_id: ProjectId,
    pub(crate) virtual_key_id: VirtualKeyId,
    pub(crate) integration_id: IntegrationId,
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
    /// Free, but what stood there still does.
    stale: Vec<u32>,
    /// How many were ever used.
    made: u32,
}

impl UnderWay {
    /// A file in `directory` for this process.
    pub(crate) fn create(directory: &Path) -> io::Result<Arc<Self>> {
        let (file, path) = create_locked(directory, EXTENSION)?;
        Ok(Arc::new(Self { file, path, places: Mutex::default() }))
    }

    /// A free place; `None` when there are too many calls.
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

    /// Empties the places of calls whose records are written.
    pub(crate) fn clear(&self) {
        let stale = std::mem::take(&mut self.places.lock().unwrap_or_else(PoisonError::into_inner).stale);
        let (mut emptied, mut left) = (Vec::new(), Vec::new());
        for index in stale {
            match self.file.write_all_at(&[0], offset(index)) {
                Ok(()) => emptied.push(index),
                Err(error) => {
                    tracing::warn!(%error, "the place of a call cannot be emptied; trying again");
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
    /// Writes the call into the place. When this returns the call outlives the process.
    ///
    /// # Errors
    /// The disk: the call must not be made.
    pub(crate) fn write(&self, admission: &Admission<'_>) -> io::Result<()> {
        let mut line = [0; PLACE_BYTES];
        let length = match encode(&mut line, admission) {
            Ok(length) => length,
            Err(_) => encode(&mut line, &admission.cut())?,
        };
        self.calls.file.write_all_at(&line[..length], offset(self.index))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.calls.places.lock().unwrap_or_else(PoisonError::into_inner).stale.push(self.index);
    }
}

impl Admission<'_> {
    /// The same with less text.
    fn cut(&self) -> Admission<'_> {
        let path: String = self.path.chars().take(CUT_PATH_CHARS).collect();
        Admission { model: None, path: path.into(), provider: Cow::Borrowed(&self.provider), ..*self }
    }

    /// The call as nobody saw it end.
    fn settled(self) -> MeteredCall {
        let by = (self.project_id, self.virtual_key_id);
        let call =
            MeteredCall::begun(self.request_id, by, self.integration_id, self.provider, self.path, self.started_at);
        MeteredCall {
            credential: self.credential,
            model: self.model.map(Cow::into_owned),
            attempts: self.attempts,
            settled: true,
            ..call
        }
    }
}

/// The calls that a process had under way when it died, by tenant; `text` is its whole file.
pub(crate) fn settle(path: &Path, text: &[u8]) -> BTreeMap<TenantId, Vec<MeteredCall>> {
    let mut calls: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for place in text.chunks(PLACE_BYTES).filter(|place| place[0] != 0) {
        let line = place.split(|byte| *byte == b'\n').next().unwrap_or_default();
        match serde_json::from_slice::<Admission<'_>>(line) {
            Ok(admission) => calls.entry(admission.tenant_id).or_default().push(admission.settled()),
            Err(error) => tracing::error!(%error, file = %path.display(), "a call under way cannot be read"),
        }
    }
    calls
}

/// Makes a file that only this process uses as long as it is open. It gets its name when it is locked: who came
/// between would take it for one of a process that is gone.
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
