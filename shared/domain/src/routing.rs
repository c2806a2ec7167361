//! In which order the integrations that could serve a call are tried.

/// An integration's place among those of its project that could serve the same call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Routing {
    /// The lowest is tried first; those behind it serve when it cannot. 0 to [`Routing::MAX_PRIORITY`].
    pub priority: i32,
    /// Its share of the calls among those of the same priority. 1 to [`Routing::MAX_WEIGHT`].
    pub weight: i32,
}

impl Routing {
    /// The last place there is.
    pub const MAX_PRIORITY: i32 = 100;
    /// The largest share there is.
    pub const MAX_WEIGHT: i32 = 1000;
}

impl Default for Routing {
    fn default() -> Self {
        Self { priority: 0, weight: 1 }
    }
}
