//! The caller's side of a call, as its answer needs to know it.

use std::sync::Arc;

use super::{broken::Reader, owners::Owners};
use crate::traffic::Traffic;

/// The side that an answer goes out on.
pub(super) struct Caller {
    /// Its reading of errors.
    pub(super) reader: Reader,
    /// The connection that the answer goes out on.
    pub(super) traffic: Arc<Traffic>,
    /// The memory of what answers are called.
    pub(super) owners: Arc<Owners>,
    /// A choice: more than one integration could be asked.
    pub(super) has_choice: bool,
}
