//! The limit that refused a call, as a refusal's headers name it: in our own words, and in those of the caller's SDK.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use keyway_domain::{LimitScope, Measure, Timestamp};

use super::shape::Shape;

/// Scope whose limit refused a call: `virtual_key`, `project` or `integration`.
const SCOPE: HeaderName = HeaderName::from_static("x-keyway-limit-scope");
/// Measure of that limit: `requests_per_minute`, `tokens_per_minute`, `daily_budget` or `monthly_budget`.
const LIMIT: HeaderName = HeaderName::from_static("x-keyway-limit");
/// End of its window, as RFC 3339.
const RESET: HeaderName = HeaderName::from_static("x-keyway-limit-reset");

/// The limit that refused a call.
#[derive(Debug)]
pub(crate) struct Exceeded {
    pub(crate) scope: LimitScope,
    pub(crate) measure: Option<Measure>,
    pub(crate) state: State,
    pub(crate) retry_after: Option<Duration>,
}

/// The standing of a limit, to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) limit: i64,
    /// Remainder, as far as this process knows.
    pub(crate) remaining: i64,
    /// Time until the window ends.
    pub(crate) reset: Duration,
    /// `true` if all of it was used or lost, and not only reserved by calls under way.
    pub(crate) used_up: bool,
}

impl Exceeded {
    /// Adds the headers of a refusal, including those that the caller's SDK reads.
    pub(crate) fn write(&self, headers: &mut HeaderMap, shape: Shape) {
        headers.insert(SCOPE, HeaderValue::from_static(self.scope.name()));
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds(wait)));
        }
        let Some(measure) = self.measure else { return };
        headers.insert(LIMIT, HeaderValue::from_static(measure.name()));
        let reset = Timestamp::now().after(self.state.reset).to_string();
        if let Ok(reset) = HeaderValue::try_from(&reset) {
            headers.insert(RESET, reset);
        }
        let kind = match measure {
            Measure::Requests => "requests",
            Measure::Tokens => "tokens",
            Measure::DailyBudget | Measure::MonthlyBudget => return,
        };
        let seconds = format!("{}s", seconds(self.state.reset));
        let names = match shape {
            Shape::OpenAi | Shape::Responses | Shape::Google | Shape::Cohere => {
                ["limit", "remaining", "reset"].map(|it| format!("x-ratelimit-{it}-{kind}"))
            }
            Shape::Anthropic => ["limit", "remaining", "reset"].map(|it| format!("anthropic-ratelimit-{kind}-{it}")),
        };
        let reset = if shape == Shape::Anthropic { reset } else { seconds };
        let values = [self.state.limit.to_string(), self.state.remaining.to_string(), reset];
        for (name, value) in names.iter().zip(values) {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.insert(name, value);
            }
        }
    }
}

/// Counts whole seconds, rounded up: one who waits that long is not early.
pub(crate) fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
