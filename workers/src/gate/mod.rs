//! Limits concurrent calls per provider, and stops calls to a host that keeps failing.
//!
//! A job waits here for at most [`PATIENCE`]; after that it is postponed to a time of its own, so that a hanging
//! provider never holds the lane's places that another provider's jobs need. Hosts that tenants entered themselves
//! (custom providers, own base URLs) share one line per tenant: no tenant's host affects another tenant.
//!
//! Must never hold a job for longer than [`PATIENCE`], and never count a postponed job as an attempt.

mod breaker;
mod pace;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use keyway_domain::{Code, Outcome, TenantId};
use keyway_telemetry::metrics;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use breaker::Breaker;
use pace::Pace;

/// Longest wait in a line.
const PATIENCE: Duration = Duration::from_millis(500);
/// Number of times that a job is postponed for a failing host, each time for longer by [`TURN`], before it counts an
/// attempt.
pub(crate) const MOST_TURNS: u32 = 12;
const TURN: Duration = Duration::from_secs(2);
/// Number of lines above which idle ones without an open breaker are dropped.
const MOST_LINES: usize = 4096;
/// Number of failing hosts per line above which those with a closed breaker are dropped.
const MOST_HOSTS: usize = 256;

/// Scope of a concurrency limit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum LineKey {
    /// A provider of the catalog, at its own host.
    Catalog(String),
    /// All hosts that one tenant entered itself.
    Custom(TenantId),
}

impl LineKey {
    fn label(&self) -> &str {
        match self {
            Self::Catalog(name) => name,
            Self::Custom(_) => "custom",
        }
    }
}

/// The lines of all providers.
pub(crate) struct Gate {
    lines: Mutex<HashMap<LineKey, Arc<Line>>>,
    at_once: u16,
}

/// Reason why a job may not call now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TurnedAway {
    /// The concurrency limit is reached.
    Busy {
        /// Estimated time until there is room.
        after: Duration,
    },
    /// The host has failed too often in a row and is not called.
    Failing {
        /// Time until the next trial.
        after: Duration,
    },
}

impl TurnedAway {
    /// Returns the outcome of a job that was postponed `turns` times since its last attempt. A postponed job was not
    /// tried, so it keeps its attempts; but after [`MOST_TURNS`] for a failing host it counts one, so that jobs do not
    /// stay forever.
    pub(crate) fn outcome(self, turns: u32) -> Outcome {
        match self {
            Self::Busy { after } => Outcome::Postponed { code: Code::RateLimited, after },
            Self::Failing { after } if turns < MOST_TURNS => {
                // Many jobs that look at the same closed door are work for nothing: the longer, the more rarely.
                let after = after.max(TURN * turns);
                Outcome::Postponed { code: Code::Unreachable, after }
            }
            Self::Failing { after } => {
                Outcome::Retry { code: Code::Unreachable, after: Some(after), next: None, events: Vec::new() }
            }
        }
    }
}

impl Gate {
    /// Builds a gate that lets `at_once` calls of each line pass at the same time.
    pub(crate) fn new(at_once: u16) -> Self {
        Self { lines: Mutex::default(), at_once: at_once.max(1) }
    }

    /// Waits for a place, at most [`PATIENCE`]. `host` selects the breaker within the line.
    pub(crate) async fn enter(&self, key: LineKey, host: &str) -> Result<Pass, TurnedAway> {
        let line = self.line(key);
        line.check(host)?;
        let permit = line.permit().await?;
        // It may have begun to fail meanwhile.
        let trial = line.call(host)?;
        metrics().provider_running.with_label_values(&[line.key.label()]).inc();
        Ok(Pass { line, host: host.to_owned(), trial, began: Instant::now(), answered: None, _permit: permit })
    }

    fn line(&self, key: LineKey) -> Arc<Line> {
        let mut lines = lock(&self.lines);
        if lines.len() >= MOST_LINES && !lines.contains_key(&key) {
            lines.retain(|_, line| Arc::strong_count(line) > 1 || !line.is_forgettable());
        }
        let line = lines.entry(key).or_insert_with_key(|key| Arc::new(Line::new(key.clone(), self.at_once)));
        Arc::clone(line)
    }
}

/// A permit for one call. Dropping it without [`Self::answered`] counts as a host that did not answer.
pub(crate) struct Pass {
    line: Arc<Line>,
    host: String,
    trial: bool,
    began: Instant,
    answered: Option<bool>,
    _permit: OwnedSemaphorePermit,
}

impl Pass {
    /// Ends the call; `answered` is `true` if the host sent any answer, even a refusal or nonsense.
    pub(crate) fn answered(mut self, answered: bool) {
        self.answered = Some(answered);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let now = Instant::now();
        metrics().provider_running.with_label_values(&[self.line.key.label()]).dec();
        let mut state = lock(&self.line.state);
        state.running -= 1;
        state.pace.ended(now, now.saturating_duration_since(self.began));
        state.ended(&self.line.key, &self.host, self.answered.unwrap_or(false), self.trial, now);
    }
}

struct Line {
    key: LineKey,
    permits: Arc<Semaphore>,
    state: Mutex<State>,
}

struct State {
    pace: Pace,
    running: u32,
    waiting: u32,
    /// Breakers of hosts that failed lately.
    breakers: HashMap<String, Breaker>,
}

impl Line {
    fn new(key: LineKey, at_once: u16) -> Self {
        let pace = Pace::new(at_once, Instant::now());
        let state = Mutex::new(State { pace, running: 0, waiting: 0, breakers: HashMap::new() });
        Self { key, permits: Arc::new(Semaphore::new(usize::from(at_once))), state }
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, TurnedAway> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Ok(permit);
        }
        let waiting = Waiting::join(self)?;
        let permit = tokio::time::timeout(PATIENCE, Arc::clone(&self.permits).acquire_owned()).await;
        drop(waiting);
        match permit {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(lock(&self.state).turned_away()),
        }
    }

    /// Turns away calls to a failing host, without taking its one trial.
    fn check(&self, host: &str) -> Result<(), TurnedAway> {
        let state = lock(&self.state);
        match state.breakers.get(host).and_then(|breaker| breaker.closed_for(Instant::now())) {
            Some(after) => Err(TurnedAway::Failing { after }),
            None => Ok(()),
        }
    }

    /// Returns `true` if the call is the trial of a failing host.
    fn call(&self, host: &str) -> Result<bool, TurnedAway> {
        let (mut state, now) = (lock(&self.state), Instant::now());
        let trial = match state.breakers.get_mut(host).map(|breaker| breaker.call(now)) {
            None => false,
            Some(Ok(trial)) => trial,
            Some(Err(after)) => return Err(TurnedAway::Failing { after }),
        };
        if state.running == 0 {
            state.pace.began(now);
        }
        state.running += 1;
        Ok(trial)
    }

    fn is_forgettable(&self) -> bool {
        lock(&self.state).breakers.values().all(|breaker| !breaker.is_open())
    }
}

impl State {
    fn turned_away(&mut self) -> TurnedAway {
        TurnedAway::Busy { after: self.pace.reserve(Instant::now(), fastrand::f64()) }
    }

    fn ended(&mut self, key: &LineKey, host: &str, answered: bool, trial: bool, now: Instant) {
        let open = metrics().breaker_open.with_label_values(&[key.label()]);
        if answered {
            if let Some(breaker) = self.breakers.remove(host)
                && breaker.is_open()
            {
                open.dec();
                tracing::info!(provider = key.label(), "a provider answers again");
            }
            return;
        }
        if self.breakers.len() >= MOST_HOSTS {
            self.breakers.retain(|_, breaker| breaker.is_open());
        }
        let breaker = self.breakers.entry(host.to_owned()).or_default();
        if breaker.failed(now, trial, fastrand::f64()) {
            open.inc();
            metrics().breaker_opened.with_label_values(&[key.label()]).inc();
            tracing::warn!(provider = key.label(), "a provider keeps failing and is left alone for a while");
        }
    }
}

/// A place in the line; dropping it (a worker that stops) gives it up.
struct Waiting<'l>(&'l Line);

impl<'l> Waiting<'l> {
    fn join(line: &'l Line) -> Result<Self, TurnedAway> {
        let mut state = lock(&line.state);
        if state.pace.wait(state.waiting + 1, Instant::now()) > PATIENCE / 2 {
            return Err(state.turned_away());
        }
        state.waiting += 1;
        Ok(Self(line))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).waiting -= 1;
    }
}

/// Locks a mutex even if it is poisoned: every change behind it is a single step, so the value is always consistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
