//! How a bus is doing: for readiness and metrics.

use keyway_domain::Lane;

use crate::BusError;

/// The state of a bus at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Whether messages can be published now.
    pub connected: bool,
    /// Whether the broker asked publishers to wait (memory or disk alarm).
    pub blocked: bool,
    /// The lanes this process consumes.
    pub lanes: Vec<LaneHealth>,
    /// What is wrong, at most one error per part of the bus; empty when all is well.
    pub errors: Vec<BusError>,
}

/// One consumed lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneHealth {
    /// Which one.
    pub lane: Lane,
    /// Whether deliveries can arrive now.
    pub consuming: bool,
}

/// How many messages wait on a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneDepth {
    /// Which lane.
    pub lane: Lane,
    /// Messages that no worker holds.
    pub waiting: u64,
    /// Dead letters that are not filed yet.
    pub dead: u64,
    /// Worker pools that consume the lane.
    pub consumers: u64,
}
