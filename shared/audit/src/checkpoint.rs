//! Checkpoints: what a log held at a time, as C2SP's `tlog-checkpoint` writes it. Signed by [`Signer`](crate::Signer).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use keyway_domain::{TenantId, Timestamp};

use crate::{error::NoteFault, tree::Hash};

/// Statement about a log: its first `size` entries have this root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the log, see [`log_name`].
    pub log: String,
    /// Number of entries.
    pub size: u64,
    /// Root of the tree over their hashes.
    pub root: Hash,
    /// Time of the statement.
    pub at: Timestamp,
}

/// Returns the name of a tenant's log in its checkpoints.
#[must_use]
pub fn log_name(tenant_id: TenantId) -> String {
    format!("keyway.audit/{tenant_id}")
}

impl Checkpoint {
    /// Writes the lines that are signed: name, size, root, time.
    pub(crate) fn text(&self) -> String {
        format!("{}\n{}\n{}\n{}\n", self.log, self.size, STANDARD.encode(self.root), self.at)
    }

    /// Reads [`Checkpoint::text`].
    pub(crate) fn read(text: &str) -> Result<Self, NoteFault> {
        let malformed = NoteFault::Malformed;
        let mut lines = text.lines();
        let mut next = |what| lines.next().ok_or(NoteFault::Malformed(what));
        let (log, size, root, at) = (next("no name")?, next("no size")?, next("no root")?, next("no time")?);
        let root = STANDARD.decode(root).map_err(|_| malformed("the root is not base64"))?;
        Ok(Self {
            log: log.to_owned(),
            size: size.parse().map_err(|_| malformed("the size is no number"))?,
            root: root.try_into().map_err(|_| malformed("the root is not 32 bytes"))?,
            at: Timestamp::parse(at).ok_or(malformed("the time is none"))?,
        })
    }
}
