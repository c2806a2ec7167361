//! What can be wrong with a chain, an export and a note; each says which entry it is.

use thiserror::Error;

/// Fault of a chain, with the first entry that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AuditFault {
    /// An entry is missing, doubled or out of order.
    #[error("entry {expected}: missing; entry {found} stands in its place")]
    Gap {
        /// Place that comes next.
        expected: u64,
        /// Place that was found.
        found: u64,
    },
    /// The bytes or the hash of an entry are not those that were written.
    #[error("entry {0}: its bytes and its hash do not belong together after entry {before}", before = .0 - 1)]
    Changed(u64),
    /// The log's own row is not what the entry holds.
    #[error("entry {sequence}: the event {event_id} in the log {difference}")]
    Unlike {
        /// Place of the entry.
        sequence: u64,
        /// Event that the entry holds.
        event_id: String,
        /// What is wrong with the row.
        difference: &'static str,
    },
    /// The entries up to a checkpoint are not those that were signed: the chain was written anew without the key.
    #[error("entries {first} to {last}: not those that were signed; the chain was written anew")]
    Restamped {
        /// First entry that no earlier checkpoint holds.
        first: u64,
        /// Last entry of the checkpoint.
        last: u64,
    },
    /// A checkpoint holds more entries than there are.
    #[error("entry {0}: missing; a checkpoint holds {1} entries")]
    Truncated(u64, u64),
    /// A checkpoint is of another log.
    #[error("entry {0}: a checkpoint of another log, {1}")]
    OtherLog(u64, String),
    /// A checkpoint was not signed by a key that is asked for.
    #[error("entry {0}: {1}")]
    Note(u64, NoteFault),
}

impl AuditFault {
    /// Returns the place of the first entry that is wrong.
    #[must_use]
    pub const fn first_bad(&self) -> u64 {
        match self {
            Self::Gap { expected, .. } => *expected,
            Self::Unlike { sequence, .. } => *sequence,
            Self::Restamped { first, .. } => *first,
            Self::Changed(at) | Self::Truncated(at, _) | Self::OtherLog(at, _) | Self::Note(at, _) => *at,
        }
    }
}

/// Fault of a signed note.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoteFault {
    /// The text is not that of a checkpoint.
    #[error("not a checkpoint: {0}")]
    Malformed(&'static str),
    /// None of the signatures is of a key that was given.
    #[error("a checkpoint that no given key has signed; give the key of this installation")]
    UnknownKey,
    /// A signature in the name of a given key is not by it.
    #[error("a checkpoint whose signature is forged or damaged")]
    Forged,
}

/// Fault of a line of an export, which says nothing yet of the chain.
#[derive(Debug, Error)]
#[error("not a line of an export: {0}")]
pub struct ExportFault(pub(crate) String);
