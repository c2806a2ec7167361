//! The time that a provider asks to wait, from its headers; never trusted beyond a sane span.

use std::time::Duration;

use http::HeaderMap;
use keyway_domain::Timestamp;
use time::{PrimitiveDateTime, macros::format_description};

/// Longest wait in one step.
pub(crate) const LONGEST: Duration = Duration::from_secs(3600);

/// Returns the wait in `retry-after-ms` or `retry-after` (seconds, or an HTTP date), an hour at most; `None` if there
/// is none or it makes no sense.
#[must_use]
pub fn parse(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some(wait) = text("retry-after-ms").and_then(|value| span(value, 1)) {
        return Some(wait);
    }
    let value = text("retry-after")?;
    span(value, 1000).or_else(|| until(value, now))
}

/// Returns the wait in a JSON text of protobuf's `Duration` (`44.2s`), clamped to [`LONGEST`].
pub(crate) fn protobuf(text: &str) -> Option<Duration> {
    span(text.strip_suffix('s')?, 1000)
}

/// Converts a decimal number of units of `unit_ms` milliseconds; fractions of a millisecond are rounded up.
fn span(text: &str, unit_ms: u64) -> Option<Duration> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(decimals) {
        return None;
    }
    let whole_ms = whole.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(unit_ms);
    let thousandths = decimals.bytes().chain(*b"000").take(3).fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    let more = u64::from(decimals.bytes().skip(3).any(|digit| digit != b'0'));
    let ms = whole_ms.saturating_add(((thousandths + more) * unit_ms).div_ceil(1000));
    Some(Duration::from_millis(ms).min(LONGEST))
}

fn until(text: &str, now: Timestamp) -> Option<Duration> {
    let form =
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    let at = PrimitiveDateTime::parse(text, form).ok()?.assume_utc();
    Some(Timestamp::from_seconds(at.unix_timestamp()).since(now).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn every_form_is_read_and_absurd_ones_are_clamped() {
        let now = Timestamp::parse("2026-11-01T00:00:00Z").expect("a time");
        for (name, value, expected) in [
            ("retry-after", "20", Some(Duration::from_secs(20))),
            ("retry-after", "0", Some(Duration::ZERO)),
            ("retry-after", "1.5", Some(Duration::from_millis(1500))),
            ("retry-after", " 7 ", Some(Duration::from_secs(7))),
            ("retry-after", "999999999999999999999999", Some(LONGEST)),
            ("retry-after", "-5", None),
            ("retry-after", "NaN", None),
            ("retry-after", "inf", None),
            ("retry-after", "1e9", None),
            ("retry-after", "", None),
            ("retry-after", "soon", None),
            ("retry-after", "Sun, 01 Nov 2026 00:01:30 GMT", Some(Duration::from_secs(90))),
            ("retry-after", "Sat, 31 Oct 2026 00:00:00 GMT", Some(Duration::ZERO)),
            ("retry-after", "Fri, 01 Nov 2999 00:00:00 GMT", Some(LONGEST)),
            ("retry-after-ms", "20000", Some(Duration::from_secs(20))),
            ("retry-after-ms", "0.25", Some(Duration::from_millis(1))),
            ("retry-after-ms", "18446744073709551615", Some(LONGEST)),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_str(value).expect("a header"));
            assert_eq!(parse(&headers, now), expected, "{name}: {value}");
        }
        for (text, expected) in [
            ("44s", Some(Duration::from_secs(44))),
            ("0.997965142s", Some(Duration::from_millis(998))),
            ("99999999s", Some(LONGEST)),
            ("44", None),
            ("-1s", None),
            ("s", None),
        ] {
            assert_eq!(protobuf(text), expected, "{text}");
        }
        let mut both = HeaderMap::new();
        both.insert("retry-after", HeaderValue::from_static("9"));
        both.insert("retry-after-ms", HeaderValue::from_static("250"));
        assert_eq!(parse(&both, now), Some(Duration::from_millis(250)), "the finer one counts");
        assert_eq!(parse(&HeaderMap::new(), now), None);
    }
}
