//! Contents of a file of the spool: its calls, and what of it cannot be read. That is set aside in a file of its own and
//! named in the log, and never dropped.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use keyway_domain::{MeteredCall, TenantId};

/// Extension of files with what cannot be read, behind that of the file it was in.
const SET_ASIDE: &str = "unreadable";
/// The same while it is being written.
const BEGUN: &str = "begun";

/// Contents of a file.
#[derive(Default)]
pub(crate) struct Found {
    /// Calls, by tenant.
    pub(crate) calls: BTreeMap<TenantId, Vec<MeteredCall>>,
    unreadable: Vec<Unreadable>,
}

/// A line, or a place, that cannot be read.
struct Unreadable {
    /// Number in the file, from 1.
    number: usize,
    bytes: Vec<u8>,
    why: String,
}

impl Found {
    pub(super) fn add(&mut self, tenant_id: TenantId, call: MeteredCall) {
        self.calls.entry(tenant_id).or_default().push(call);
    }

    pub(super) fn set_aside(&mut self, number: usize, bytes: &[u8], why: String) {
        self.unreadable.push(Unreadable { number, bytes: bytes.to_owned(), why });
    }

    /// Writes what cannot be read beside the file that it was in, and names it; once, however often that is moved.
    ///
    /// # Errors
    /// The disk: the file has to stay.
    pub(super) fn keep_unreadable(&self, path: &Path) -> io::Result<()> {
        let kept = path.with_added_extension(SET_ASIDE);
        if self.unreadable.is_empty() || kept.exists() {
            return Ok(());
        }
        let begun = path.with_added_extension(BEGUN);
        let mut file = fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(&begun)?;
        for Unreadable { bytes, .. } in &self.unreadable {
            file.write_all(&[bytes, &b"\n"[..]].concat())?;
        }
        file.sync_all()?;
        fs::rename(begun, &kept)?;
        for Unreadable { number, why, .. } in &self.unreadable {
            let (file, kept) = (path.display(), kept.display());
            tracing::error!(%file, line = number, why, %kept, "a record on the spool cannot be read and is set aside");
        }
        Ok(())
    }
}
