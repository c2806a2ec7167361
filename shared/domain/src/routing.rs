//! Routing: the order in which integrations that could serve a call are tried.

/// Priority and weight of an integration among those of its project that can serve the same call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Routing {
    /// Priority, 0 to [`Routing::MAX_PRIORITY`]: the lowest is tried first, higher ones serve when it cannot.
    pub priority: i32,
    /// Share of the calls among integrations of the same priority, 1 to [`Routing::MAX_WEIGHT`].
    pub weight: i32,
}

impl Routing {
    /// Largest priority, tried last.
    pub const MAX_PRIORITY: i32 = 100;
    /// Largest weight.
    pub const MAX_WEIGHT: i32 = 1000;
}

impl Default for Routing {
    fn default() -> Self {
        Self { priority: 0, weight: 1 }
    }
}
