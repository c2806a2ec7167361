//! The caller's side of a call, as its answer needs to know it.

use std::sync::Arc;

use super::broken::Reader;
use crate::route::owners::Owners;
use keyway_http::Traffic;

/// The side that an answer goes out on.
pub(crate) struct Caller {
    /// Its reading of errors.
    pub(crate) reader: Reader,
    /// Traffic of the connection that the answer is sent on.
    pub(crate) traffic: Arc<Traffic>,
    /// The memory of what answers are called.
    pub(crate) owners: Arc<Owners>,
    /// A choice: more than one integration could be asked.
    pub(crate) has_choice: bool,
}
