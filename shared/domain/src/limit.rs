//! Limits on requests, tokens and money for a virtual key, a project, an integration or a provider, per window of time.
//! Windows are UTC minutes, days and months.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{NanoUsd, Timestamp};

const DAY: Duration = Duration::from_secs(86_400);

/// Limits of one scope; `None`: no limit of that kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Requests per minute.
    pub requests_per_minute: Option<i64>,
    /// Input and output tokens per minute, summed.
    pub tokens_per_minute: Option<i64>,
    /// Spending per UTC day, in nano-USD.
    pub daily_budget_nano_usd: Option<NanoUsd>,
    /// Spending per UTC month, in nano-USD.
    pub monthly_budget_nano_usd: Option<NanoUsd>,
}

/// Quantity that a limit counts, with its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// Requests in a minute.
    Requests,
    /// Tokens in a minute.
    Tokens,
    /// Nano-USD in a day.
    DailyBudget,
    /// Nano-USD in a month.
    MonthlyBudget,
}

/// Kind of thing that a limit is set on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitScope {
    /// One virtual key.
    VirtualKey,
    /// All virtual keys of one project together.
    Project,
    /// One integration, for all callers together.
    Integration,
    /// All calls of a tenant to one provider.
    Provider,
}

/// A window of time: from `start`, inclusive, to `end`, exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitWindow {
    /// Start, inclusive.
    pub start: Timestamp,
    /// End, exclusive.
    pub end: Timestamp,
}

impl Limits {
    /// Returns the limit of this kind.
    #[must_use]
    pub const fn of(&self, measure: Measure) -> Option<i64> {
        match measure {
            Measure::Requests => self.requests_per_minute,
            Measure::Tokens => self.tokens_per_minute,
            Measure::DailyBudget => self.daily_budget_nano_usd,
            Measure::MonthlyBudget => self.monthly_budget_nano_usd,
        }
    }

    /// Returns `true` if no limit is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Measure {
    /// Every measure, in the order of their windows.
    pub const ALL: [Self; 4] = [Self::Requests, Self::Tokens, Self::DailyBudget, Self::MonthlyBudget];

    /// Returns the text in JSON, tables, headers and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests_per_minute",
            Self::Tokens => "tokens_per_minute",
            Self::DailyBudget => "daily_budget",
            Self::MonthlyBudget => "monthly_budget",
        }
    }

    /// Returns `true` if the measure counts money (nano-USD).
    #[must_use]
    pub const fn is_budget(self) -> bool {
        matches!(self, Self::DailyBudget | Self::MonthlyBudget)
    }

    /// Returns the window that a moment is in.
    #[must_use]
    pub fn window(self, at: Timestamp) -> LimitWindow {
        let period = match self {
            Self::Requests | Self::Tokens => Duration::from_secs(60),
            Self::DailyBudget => DAY,
            Self::MonthlyBudget => {
                let start = at.month_start();
                return LimitWindow { start, end: start.after(32 * DAY).month_start() };
            }
        };
        let start = at.floor(period);
        LimitWindow { start, end: start.after(period) }
    }
}

impl LimitScope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::VirtualKey, Self::Project, Self::Integration, Self::Provider];

    /// Returns the text in headers and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::VirtualKey => "virtual_key",
            Self::Project => "project",
            Self::Integration => "integration",
            Self::Provider => "provider",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_those_of_utc_and_follow_each_other() {
        for (measure, at, start, end) in [
            (Measure::Requests, "2026-11-21T09:30:59.999Z", "2026-11-21T09:30:00Z", "2026-11-21T09:31:00Z"),
            (Measure::Tokens, "2026-12-31T23:59:00Z", "2026-12-31T23:59:00Z", "2027-01-01T00:00:00Z"),
            (Measure::DailyBudget, "2026-11-21T23:59:59Z", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"),
            (Measure::MonthlyBudget, "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            (Measure::MonthlyBudget, "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
        ] {
            let parse = |text| Timestamp::parse(text).unwrap();
            let window = measure.window(parse(at));
            assert_eq!(window, LimitWindow { start: parse(start), end: parse(end) }, "{measure:?} {at}");
            assert_eq!(measure.window(window.end).start, window.end, "{measure:?} {at}");
        }
    }
}
