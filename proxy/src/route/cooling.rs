//! Cool-downs: integrations that are not asked for a while, because their provider said so or could not be reached. Per
//! process and in memory only: a cool-down orders integrations, and refuses no call.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use keyway_domain::IntegrationId;

/// Number of entries above which expired ones are dropped.
const CROWDED: usize = 10_000;
/// Cool-down after an answer that refuses the key. Its verification is brought forward meanwhile.
pub(crate) const AFTER_REFUSAL: Duration = Duration::from_secs(60);
/// Cool-down after an answer that may concern one call only.
pub(crate) const AFTER_FORBIDDEN: Duration = Duration::from_secs(10);
/// Cool-down after a rate limit, an outage or a failed connection, if the provider names no time.
pub(crate) const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Cool-downs of this process.
#[derive(Default)]
pub(crate) struct Cooling {
    until: Mutex<HashMap<(IntegrationId, u64), Instant>>,
    hasher: RandomState,
}

/// Scope of a cool-down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All calls of the integration.
    Integration,
    /// Calls of one model: providers limit by model.
    Model,
}

/// A cool-down that follows from an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CoolDown {
    pub(crate) scope: Scope,
    pub(crate) wait: Duration,
}

impl Cooling {
    /// Starts a cool-down. Of several, the longest counts.
    pub(crate) fn cool(&self, id: IntegrationId, model: Option<&str>, down: CoolDown) {
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

    /// Returns the end of an integration's cool-down for calls of a model.
    pub(crate) fn until(&self, id: IntegrationId, model: Option<&str>, now: Instant) -> Option<Instant> {
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.is_empty() {
            return None;
        }
        let both = [(id, 0), (id, self.word(model))];
        both.iter().filter_map(|key| until.get(key).copied()).max().filter(|at| *at > now)
    }

    /// Returns a hash of a model, never the one for all models. Two models with the same hash would share a cool-down.
    fn word(&self, model: Option<&str>) -> u64 {
        model.map_or(0, |model| self.hasher.hash_one(model) | 1)
    }
}

#[cfg(test)]
mod tests {
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
}
