//! Lanes: a lane is a queue with its worker pool. The queue of a lane is `keyway.<lane>`.

use std::{fmt, str::FromStr};

/// A queue with its worker pool. The handlers of each are named in `workers/src/pools.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Probes one key of one integration.
    Verify,
    /// Writes one `FetchUsage` per integration.
    UsagePlan,
    /// Fetches one integration's usage from its provider.
    UsageFetch,
    /// Applies status events; the only writer of operation and integration status.
    Status,
    /// Appends audit events; the only writer of the audit log.
    Audit,
    /// Appends proxied calls to the metered ledger.
    Meter,
    /// Sends one mail to one recipient.
    Mail,
}

impl Lane {
    /// Every lane: topology, pools, metrics and dashboards are folds over this list.
    pub const ALL: [Self; 7] =
        [Self::Verify, Self::UsagePlan, Self::UsageFetch, Self::Status, Self::Audit, Self::Meter, Self::Mail];

    /// Returns the name in queues, tables, metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::UsagePlan => "usage.plan",
            Self::UsageFetch => "usage.fetch",
            Self::Status => "status",
            Self::Audit => "audit",
            Self::Meter => "meter",
            Self::Mail => "mail",
        }
    }

    /// Returns `true` if the lane carries events, `false` if commands; this picks the exchange its queue is bound to.
    #[must_use]
    pub const fn carries_events(self) -> bool {
        matches!(self, Self::Status | Self::Audit)
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Lane {
    type Err = UnknownLane;

    fn from_str(name: &str) -> Result<Self, UnknownLane> {
        Self::ALL.into_iter().find(|lane| lane.name() == name).ok_or(UnknownLane)
    }
}

/// Error for a name that is no lane's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no lane has this name; the lanes are verify, usage.plan, usage.fetch, status, audit, meter and mail")]
pub struct UnknownLane;

/// Destination of a message: one lane's queue, or every process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Route {
    /// The queue of a lane.
    Lane(Lane),
    /// Every live process, best effort: caches drop what changed.
    Invalidate,
}

impl Route {
    /// Every route, for the relay, which serves each on its own.
    pub const ALL: [Self; 8] = [
        Self::Lane(Lane::Verify),
        Self::Lane(Lane::UsagePlan),
        Self::Lane(Lane::UsageFetch),
        Self::Lane(Lane::Status),
        Self::Lane(Lane::Audit),
        Self::Lane(Lane::Meter),
        Self::Lane(Lane::Mail),
        Self::Invalidate,
    ];

    /// Returns the name in the outbox and in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lane(lane) => lane.name(),
            Self::Invalidate => "invalidate",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lane_is_a_route_and_parses_from_its_name() {
        for lane in Lane::ALL {
            assert!(Route::ALL.contains(&Route::Lane(lane)));
            assert_eq!(lane.name().parse(), Ok(lane));
        }
        assert!("usage".parse::<Lane>().is_err());
    }
}
