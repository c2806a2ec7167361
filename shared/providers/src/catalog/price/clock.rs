//! Hours of the week, in UTC, at which different prices hold.

use std::fmt;

use keyway_domain::Timestamp;
use serde::Deserialize;

const HOURS: u32 = 24;
const HOUR_SECONDS: i64 = 3600;
const DAY_SECONDS: i64 = 24 * HOUR_SECONDS;
/// Weekday of 1970-01-01, a Thursday, counted from Monday as 0.
const THURSDAY: i64 = 3;
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// Whole hours of the week: a 24-bit mask of hours per day, from Monday on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock([u32; 7]);

impl Clock {
    /// Reads spans of hours like `04-06`, end exclusive, on these days; `None` means all day, or every day.
    pub(super) fn read(days: Option<&[Weekday]>, spans: Option<&[String]>) -> Result<Self, String> {
        let hours = match spans {
            None => (1 << HOURS) - 1,
            Some(spans) => spans.iter().try_fold(0, |hours, span| Ok::<_, String>(hours | hours_of(span)?))?,
        };
        let mut week = [if days.is_none() { hours } else { 0 }; 7];
        days.unwrap_or_default().iter().for_each(|day| week[*day as usize] = hours);
        if week == [0; 7] {
            return Err("`hours` and `weekdays` leave no hour at all".to_owned());
        }
        Ok(Self(week))
    }

    /// Returns `true` if the moment is in one of the hours.
    #[must_use]
    pub fn holds(self, at: Timestamp) -> bool {
        let seconds = at.seconds();
        let day = (seconds.div_euclid(DAY_SECONDS) + THURSDAY).rem_euclid(7);
        let hour = seconds.rem_euclid(DAY_SECONDS) / HOUR_SECONDS;
        usize::try_from(day).is_ok_and(|day| self.0[day] & (1 << hour) != 0)
    }

    /// Returns `true` if any hour is in both.
    pub(super) fn overlaps(self, other: Self) -> bool {
        self.0.iter().zip(other.0).any(|(one, other)| one & other != 0)
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut begins = 0;
        let mut days = Vec::new();
        for run in self.0.chunk_by(|one, next| one == next) {
            let last = begins + run.len() - 1;
            let name =
                if run.len() == 1 { DAYS[begins].to_owned() } else { format!("{}-{}", DAYS[begins], DAYS[last]) };
            if run[0] != 0 {
                days.push(format!("{name} {}", spans(run[0])));
            }
            begins += run.len();
        }
        f.write_str(&days.join("; "))
    }
}

/// Writes hours in the form they are read: `04-06, 10-24`.
fn spans(hours: u32) -> String {
    let is_on = |hour: &u32| hours & (1 << hour) != 0;
    let begins = (0..HOURS).filter(|hour| is_on(hour) && (*hour == 0 || !is_on(&(hour - 1))));
    let ends = (0..HOURS).filter(|hour| is_on(hour) && !is_on(&(hour + 1))).map(|hour| hour + 1);
    begins.zip(ends).map(|(from, until)| format!("{from:02}-{until:02}")).collect::<Vec<_>>().join(", ")
}

/// Reads a span of hours as bits.
fn hours_of(span: &str) -> Result<u32, String> {
    let is_plain = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    let hour = |text: &str| is_plain(text).then(|| text.parse::<u32>().ok()).flatten();
    let ends = span.split_once('-').and_then(|(from, until)| hour(from).zip(hour(until)));
    match ends {
        Some((from, until)) if from < until && until <= HOURS => Ok((1 << until) - (1 << from)),
        _ => Err(format!("`{span}` is no span of hours within a day; write \"04-06\", the end exclusive, up to 24")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect(text)
    }

    #[test]
    fn hours_are_those_of_the_week_in_utc() {
        use Weekday::{Fri, Mon, Sat, Sun, Thu, Tue, Wed};
        let spans = ["00-01", "04-06", "10-24"].map(str::to_owned);
        let cheap = Clock::read(Some(&[Mon, Tue, Wed, Thu, Fri]), Some(&spans)).expect("a clock");
        let weekend = Clock::read(Some(&[Sat, Sun]), None).expect("a clock");
        // 2026-11-27 is a Friday.
        for (text, is_cheap, is_weekend) in [
            ("2026-11-27T00:59:59.999Z", true, false),
            ("2026-11-27T01:00:00Z", false, false),
            ("2026-11-27T03:59:59Z", false, false),
            ("2026-11-27T04:00:00Z", true, false),
            ("2026-11-27T06:00:00Z", false, false),
            ("2026-11-27T10:00:00Z", true, false),
            ("2026-11-27T23:59:59.999Z", true, false),
            ("2026-11-28T00:00:00Z", false, true),
            ("2026-11-29T23:59:59.999Z", false, true),
            ("2026-11-30T00:00:00Z", true, false),
            ("2026-11-30T02:00:00+01:00", false, false),
            ("1969-12-28T12:00:00Z", false, true),
        ] {
            assert_eq!((cheap.holds(at(text)), weekend.holds(at(text))), (is_cheap, is_weekend), "{text}");
        }
        assert!(!cheap.overlaps(weekend) && cheap.overlaps(cheap));
        assert_eq!(cheap.to_string(), "Mon-Fri 00-01, 04-06, 10-24");
        assert_eq!(weekend.to_string(), "Sat-Sun 00-24");
        let odd = Clock::read(Some(&[Mon, Wed, Sun]), None).expect("a clock");
        assert_eq!(odd.to_string(), "Mon 00-24; Wed 00-24; Sun 00-24");
    }

    #[test]
    fn what_is_no_span_of_hours_is_refused() {
        for span in ["", "4-6", "04", "06-04", "04-04", "04-25", "04:00-06:00", "-1-02", "+1-02"] {
            assert!(Clock::read(None, Some(&[span.to_owned()])).is_err(), "{span}");
        }
        assert!(Clock::read(Some(&[]), None).is_err() && Clock::read(None, Some(&[])).is_err());
    }
}
