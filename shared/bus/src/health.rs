//! Health of a bus, for readiness and metrics.

use keyway_domain::Lane;

use crate::BusError;

/// The state of a bus at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// `true` if messages can be published now.
    pub connected: bool,
    /// `true` if the broker asked publishers to wait (memory or disk alarm).
    pub blocked: bool,
    /// Lanes that this process consumes.
    pub lanes: Vec<LaneHealth>,
    /// Errors, at most one per part of the bus; empty if all is well.
    pub errors: Vec<BusError>,
}

/// One consumed lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneHealth {
    /// The lane.
    pub lane: Lane,
    /// `true` if deliveries can arrive now.
    pub consuming: bool,
}

/// Number of messages on a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneDepth {
    /// The lane.
    pub lane: Lane,
    /// Messages that no worker holds.
    pub waiting: u64,
    /// Dead letters that are not filed yet.
    pub dead: u64,
    /// Worker pools that consume the lane.
    pub consumers: u64,
}
