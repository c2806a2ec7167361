//! Limits in answers: on a refused call the reason and the time to try again, and on every answer under a limit its
//! remainder. Headers of the provider stay unchanged; ours have names of their own.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use keyway_domain::{LimitScope, Measure, Timestamp};
use keyway_telemetry::metrics;

use super::{
    super::refusal::{Code, Refusal, Shape},
    Hold,
    lease::State,
};

/// Time after which amounts reserved by calls under way may be free again.
const SOON: Duration = Duration::from_secs(1);

/// Scope whose limit refused a call: `virtual_key`, `project` or `integration`.
const SCOPE: HeaderName = HeaderName::from_static("x-keyway-limit-scope");
/// Measure of that limit: `requests_per_minute`, `tokens_per_minute`, `daily_budget` or `monthly_budget`.
const LIMIT: HeaderName = HeaderName::from_static("x-keyway-limit");
/// End of its window, as RFC 3339.
const RESET: HeaderName = HeaderName::from_static("x-keyway-limit-reset");

/// Headers of every answer under a limit: limit, remainder (as far as this process knows) and seconds until the window
/// ends, by measure. Money is in billionths of a US dollar.
const SHOWN: [[HeaderName; 3]; Measure::ALL.len()] = [
    [
        HeaderName::from_static("x-keyway-ratelimit-limit-requests"),
        HeaderName::from_static("x-keyway-ratelimit-remaining-requests"),
        HeaderName::from_static("x-keyway-ratelimit-reset-requests"),
    ],
    [
        HeaderName::from_static("x-keyway-ratelimit-limit-tokens"),
        HeaderName::from_static("x-keyway-ratelimit-remaining-tokens"),
        HeaderName::from_static("x-keyway-ratelimit-reset-tokens"),
    ],
    [
        HeaderName::from_static("x-keyway-ratelimit-limit-daily-budget"),
        HeaderName::from_static("x-keyway-ratelimit-remaining-daily-budget"),
        HeaderName::from_static("x-keyway-ratelimit-reset-daily-budget"),
    ],
    [
        HeaderName::from_static("x-keyway-ratelimit-limit-monthly-budget"),
        HeaderName::from_static("x-keyway-ratelimit-remaining-monthly-budget"),
        HeaderName::from_static("x-keyway-ratelimit-reset-monthly-budget"),
    ],
];

/// The limit that refused a call.
#[derive(Debug)]
pub(in crate::proxy) struct Exceeded {
    scope: LimitScope,
    measure: Option<Measure>,
    state: State,
    retry_after: Option<Duration>,
}

/// Builds the refusal of a call for which a limit has nothing left.
pub(super) fn exhausted(scope: LimitScope, measure: Measure, state: State) -> Refusal {
    // A budget that is used up is empty for long; what calls under way have only reserved comes back.
    let used_up = measure.is_budget() && state.used_up;
    let code = if used_up { Code::BudgetExceeded } else { Code::RateLimited };
    let is_reserved = !used_up && measure != Measure::Requests && !state.used_up;
    let retry_after = (!used_up).then_some(if is_reserved { SOON } else { state.reset });
    let what = if is_reserved { "what is left of it is reserved by calls under way" } else { "it is used up" };
    let message = format!(
        "the limit {} of this call's {} leaves nothing for it: {what}",
        measure.name(),
        scope.name().replace('_', " "),
    );
    refused(code, message, Exceeded { scope, measure: Some(measure), state, retry_after })
}

/// Builds the refusal of a call whose cost is unknown under a budget.
pub(super) fn price_unknown(scope: LimitScope) -> Refusal {
    let state = State { limit: 0, remaining: 0, reset: Duration::ZERO, used_up: false };
    let message = "a budget applies to this call and its price is not known: call a model and an endpoint with a \
                   price, add the model's price to the models file, or take the budget away";
    refused(Code::PriceUnknown, message.to_owned(), Exceeded { scope, measure: None, state, retry_after: None })
}

fn refused(code: Code, message: String, exceeded: Exceeded) -> Refusal {
    metrics().limit_refused.with_label_values(&[code.text(), exceeded.scope.name()]).inc();
    Refusal::new(code, message).with_limit(exceeded)
}

impl Exceeded {
    /// Adds the headers of a refusal, including those that the caller's SDK reads.
    pub(in crate::proxy) fn write(&self, headers: &mut HeaderMap, shape: Shape) {
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

impl Hold {
    /// Adds the headers of an answer: for each measure, the limit with the smallest remainder.
    pub(in crate::proxy) fn show(&self, headers: &mut HeaderMap) {
        let Some(held) = &self.0 else { return };
        // At once: a map that grows step by step is hashed anew each time.
        headers.reserve(SHOWN.len() * SHOWN[0].len());
        let states: Vec<_> = held.taken.iter().chain(&held.serving).map(super::Taken::states).collect();
        for (at, names) in SHOWN.iter().enumerate() {
            let of_kind = states.iter().filter_map(|states| states[at]);
            let Some(state) = of_kind.min_by_key(|state| state.remaining) else { continue };
            let reset = i64::try_from(seconds(state.reset)).unwrap_or(i64::MAX);
            for (name, value) in names.iter().zip([state.limit, state.remaining, reset]) {
                headers.insert(name, HeaderValue::from(value));
            }
        }
    }
}

/// Rounds up to whole seconds, so that a caller who waits that long is not early.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
