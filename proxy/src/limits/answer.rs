//! Limits in answers: on a refused call the reason and the time to try again, and on every answer under a limit its
//! remainder. Headers of the provider stay unchanged; ours have names of their own.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use keyway_domain::{LimitScope, Measure};
use keyway_telemetry::metrics;

use super::scope::Taken;
use crate::refusal::{
    Code, Refusal,
    exceeded::{Exceeded, State, seconds},
};

/// Time after which amounts reserved by calls under way may be free again.
const SOON: Duration = Duration::from_secs(1);

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

/// Adds the headers of an answer: for each measure, the limit with the smallest remainder.
pub(super) fn show<'t>(taken: impl Iterator<Item = &'t Taken>, headers: &mut HeaderMap) {
    // At once: a map that grows step by step is hashed anew each time.
    headers.reserve(SHOWN.len() * SHOWN[0].len());
    let states: Vec<_> = taken.map(Taken::states).collect();
    for (at, names) in SHOWN.iter().enumerate() {
        let of_kind = states.iter().filter_map(|states| states[at]);
        let Some(state) = of_kind.min_by_key(|state| state.remaining) else { continue };
        let reset = i64::try_from(seconds(state.reset)).unwrap_or(i64::MAX);
        for (name, value) in names.iter().zip([state.limit, state.remaining, reset]) {
            headers.insert(name, HeaderValue::from(value));
        }
    }
}
