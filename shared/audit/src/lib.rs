//! The audit chain: entries that each hold the hash of the one before, a tree over them, checkpoints signed from time to
//! time, and the judge of all three.
//!
//! Without IO and without secrets of its own. It must never write an entry's bytes anew: what was hashed is kept as it
//! was written.
//!
//! - [`Entry`]: bytes of one event, its place in the chain and its hash;
//! - [`Tree`]: Merkle tree of RFC 6962 over the hashes, of which only the peaks are kept;
//! - [`Checkpoint`], [`Signer`], [`PublicKey`]: signed notes in C2SP's text format;
//! - [`Verifier`]: reads entries and checkpoints in order and names the first that is wrong.

mod checkpoint;
mod entry;
mod error;
mod export;
mod key;
mod tree;
mod verifier;

pub use checkpoint::{Checkpoint, log_name};
pub use entry::{Entry, bytes_of};
pub use error::{AuditFault, ExportFault, NoteFault};
pub use export::{Line, read_line};
pub use key::{PublicKey, Signer};
pub use tree::{Hash, NO_HASH, Tree};
pub use verifier::{Proven, Verifier};
