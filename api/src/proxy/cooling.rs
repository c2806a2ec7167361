//! Which integrations are left alone for a while, because their provider said so or could not be reached.
//! Only in this process and only in memory: it chooses among several, and refuses nothing by itself.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use http::{HeaderMap, StatusCode};
use keyway_domain::{IntegrationId, Timestamp};
use keyway_providers::retry_after;

use super::refusal::Code;

/// Beyond this many, those that are over are thrown away.
const CROWDED: usize = 10_000;
/// After an answer that says that this key gets nowhere. Its verification is brought forward meanwhile.
const AFTER_REFUSAL: Duration = Duration::from_secs(60);
/// After an answer that may be about this one call.
const AFTER_FORBIDDEN: Duration = Duration::from_secs(10);
/// After a rate limit, an outage or no connection, when the provider does not say how long.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// The cool-downs of a process.
#[derive(Default)]
pub(super) struct Cooling {
    until: Mutex<HashMap<(IntegrationId, u64), Instant>>,
    hasher: RandomState,
}

/// For what an integration cools down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// For every call.
    Integration,
    /// For calls of this model: providers limit by model.
    Model,
}

/// What an answer means for the calls that follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CoolDown {
    pub(super) scope: Scope,
    pub(super) wait: Duration,
}

impl CoolDown {
    /// What an attempt means that got no answer; `None`: another integration must not be asked, because the
    /// provider may have acted on the request.
    pub(super) const fn without_answer(code: Code) -> Option<Self> {
        let wait = match code {
            Code::UpstreamUnreachable => AFTER_FAILURE,
            Code::UpstreamForbidden | Code::Unreadable => AFTER_REFUSAL,
            _ => return None,
        };
        Some(Self { scope: Scope::Integration, wait })
    }

    /// What the head of an answer means; `None`: another integration would do no better.
    pub(super) fn after(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Option<Self> {
        let asked = || retry_after(headers, now).unwrap_or(AFTER_FAILURE);
        let (scope, wait) = match status.as_u16() {
            401 | 402 => (Scope::Integration, AFTER_REFUSAL),
            403 => (Scope::Model, AFTER_FORBIDDEN),
            429 => (Scope::Model, asked()),
            500..=599 => (Scope::Integration, asked()),
            _ => return None,
        };
        Some(Self { scope, wait })
    }
}

impl Cooling {
    /// Leaves an integration alone. Of several waits the longest holds.
    pub(super) fn cool(&self, id: IntegrationId, model: Option<&str>, down: CoolDown) {
        let now = Instant::now();
        let key = match down.scope {
            Scope::Integration => (id, 0),
            Scope::Model => (id, self.word(model)),
        };
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.len() >= CROWDED {
            until.retain(|_, at| *at > now);
        }
        let at = until.entry(key).or_insert(now);
        *at = (*at).max(now + down.wait);
    }

    /// Until when an integration is left alone by calls of a model.
    pub(super) fn until(&self, id: IntegrationId, model: Option<&str>, now: Instant) -> Option<Instant> {
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.is_empty() {
            return None;
        }
        let both = [(id, 0), (id, self.word(model))];
        both.iter().filter_map(|key| until.get(key).copied()).max().filter(|at| *at > now)
    }

    /// A number that stands for a model, never the one that stands for all of them. Two models that share one
    /// would share a cool-down.
    fn word(&self, model: Option<&str>) -> u64 {
        model.map_or(0, |model| self.hasher.hash_one(model) | 1)
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header};

    use super::*;

    #[test]
    fn the_longest_wait_holds_and_a_models_wait_is_its_own() {
        let (cooling, id, start) = (Cooling::default(), IntegrationId::new(), Instant::now());
        let down = |scope, seconds| CoolDown { scope, wait: Duration::from_secs(seconds) };
        let is_over = |model, seconds| cooling.until(id, Some(model), start + Duration::from_secs(seconds)).is_none();
        assert!(is_over("a", 0));
        cooling.cool(id, Some("a"), down(Scope::Model, 2000));
        cooling.cool(id, Some("a"), down(Scope::Model, 500));
        assert!(!is_over("a", 1999) && is_over("b", 0));
        cooling.cool(id, Some("b"), down(Scope::Integration, 3000));
        assert!(!is_over("a", 2999) && !is_over("c", 2999));
        assert!(is_over("a", 6000), "over");
        assert!(cooling.until(IntegrationId::new(), Some("a"), start).is_none(), "another one");
    }

    #[test]
    fn an_answer_says_how_long_and_for_what() {
        let mut headers = HeaderMap::new();
        let now = Timestamp::from_ms(0);
        let after = |status: u16, headers: &HeaderMap| {
            let down = CoolDown::after(StatusCode::from_u16(status).unwrap(), headers, now)?;
            Some((down.scope, down.wait.as_secs()))
        };
        for (status, expected) in [
            (200, None),
            (400, None),
            (404, None),
            (401, Some((Scope::Integration, 60))),
            (402, Some((Scope::Integration, 60))),
            (403, Some((Scope::Model, 10))),
            (429, Some((Scope::Model, 5))),
            (503, Some((Scope::Integration, 5))),
        ] {
            assert_eq!(after(status, &headers), expected, "{status}");
        }
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("17"));
        assert_eq!(after(429, &headers), Some((Scope::Model, 17)));
        assert_eq!(after(529, &headers), Some((Scope::Integration, 17)));
        assert_eq!(after(401, &headers), Some((Scope::Integration, 60)));
    }
}
