//! A point in time in whole milliseconds since 1970 (UTC): the one form in which Keyway stores time.
//!
//! Stored as an integer so that both databases order and compare it alike; JSON shows RFC 3339.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Returns the wall clock of this process.
    #[must_use]
    pub fn now() -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
    }

    /// Builds a timestamp from milliseconds since 1970.
    #[must_use]
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Builds a timestamp from whole seconds since 1970, as providers report them.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Returns milliseconds since 1970.
    #[must_use]
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// Returns whole seconds since 1970, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Adds `duration` to this moment.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// Subtracts `duration` from this moment.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }

    /// Returns the time elapsed since `earlier`; zero if `earlier` lies in the future.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Returns the latest multiple of `period` that is not after this moment.
    #[must_use]
    pub fn floor(self, period: Duration) -> Self {
        let period = millis(period).max(1);
        Self(self.0.div_euclid(period) * period)
    }

    /// Returns the first moment of the UTC month that this moment is in.
    #[must_use]
    pub fn month_start(self) -> Self {
        let date = OffsetDateTime::from_unix_timestamp(self.seconds()).unwrap_or(OffsetDateTime::UNIX_EPOCH).date();
        let first = date.replace_day(1).unwrap_or(date).midnight().assume_utc();
        Self::from_seconds(first.unix_timestamp())
    }

    /// Reads RFC 3339 (`2026-11-20T12:00:00Z`).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok().map(Self)
    }

    /// Returns the UTC day, `2026-11-20`.
    #[must_use]
    pub fn day(self) -> String {
        let date = OffsetDateTime::from_unix_timestamp(self.seconds()).unwrap_or(OffsetDateTime::UNIX_EPOCH).date();
        format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000).map_err(|_| fmt::Error)?;
        f.write_str(&at.format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            let is_day = Self::parse(&format!("{text}T00:00:00Z")).is_some();
            serde::de::Error::custom(if is_day {
                "a day needs its time too, like 2026-11-20T00:00:00Z"
            } else {
                "expected a time like 2026-11-20T12:00:00Z"
            })
        })
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_rfc3339_and_keeps_milliseconds() {
        let at = Timestamp::from_ms(1_793_491_200_123);
        assert_eq!(at.to_string(), "2026-11-01T00:00:00.123Z");
        assert_eq!(Timestamp::parse("2026-11-01T01:00:00.123+01:00"), Some(at));
        assert_eq!(Timestamp::parse("yesterday"), None);
        assert_eq!(at.day(), "2026-11-01");
    }

    #[test]
    fn floor_is_the_start_of_the_window() {
        let quarter = Duration::from_secs(900);
        let at = Timestamp::parse("2026-11-01T10:44:59Z").unwrap_or_default();
        assert_eq!(at.floor(quarter).to_string(), "2026-11-01T10:30:00Z");
        assert_eq!(Timestamp::from_ms(-1).floor(quarter).ms(), -900_000);
    }
}
