//! Slices of the rollups: each sums the same calls by other columns, so that a report reads the smallest one that has what
//! it asks for. A column that a slice does not split by is nil or empty in it.
//!
//! A further column, such as a tag, is a further slice: no other slice grows by it.

use std::time::Duration;

use keyway_domain::Timestamp;

/// Time for which hours are kept; days are kept for good.
pub const HOURS_KEPT: Duration = Duration::from_secs(14 * 86_400);

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// One way of summing the metered ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Slice {
    /// By day and integration.
    DayIntegration,
    /// By day and virtual key.
    DayKey,
    /// By day and model.
    DayTotal,
    /// By hour, integration, virtual key and model. By day that is the table `usage_daily`.
    Hour,
    /// By hour and model.
    HourTotal,
}

impl Slice {
    pub(crate) const ALL: [Self; 5] = [Self::DayIntegration, Self::DayKey, Self::DayTotal, Self::Hour, Self::HourTotal];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::DayIntegration => "day_integration",
            Self::DayKey => "day_key",
            Self::DayTotal => "day_total",
            Self::Hour => "hour",
            Self::HourTotal => "hour_total",
        }
    }

    /// Returns the start of the hour or day of a call.
    pub(crate) fn start(self, at: Timestamp) -> Timestamp {
        at.floor(if matches!(self, Self::Hour | Self::HourTotal) { HOUR } else { DAY })
    }

    pub(crate) const fn has_integration(self) -> bool {
        matches!(self, Self::DayIntegration | Self::Hour)
    }

    pub(crate) const fn has_key(self) -> bool {
        matches!(self, Self::DayKey | Self::Hour)
    }

    pub(crate) const fn has_model(self) -> bool {
        matches!(self, Self::DayTotal | Self::Hour | Self::HourTotal)
    }

    /// Returns the smallest slice of days with these columns; `None` if only `usage_daily` has them.
    pub(crate) fn of_days(integration: bool, key: bool, model: bool) -> Option<Self> {
        [Self::DayTotal, Self::DayIntegration, Self::DayKey].into_iter().find(|slice| {
            (slice.has_integration() || !integration) && (slice.has_key() || !key) && (slice.has_model() || !model)
        })
    }

    /// Returns the smallest slice of hours with these columns.
    pub(crate) const fn of_hours(integration: bool, key: bool) -> Self {
        if integration || key { Self::Hour } else { Self::HourTotal }
    }
}
