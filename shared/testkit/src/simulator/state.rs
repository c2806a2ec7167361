//! Memory of the simulator: scripts, counts, and the last body of each key and path.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::{
    Fault,
    key::{self, KeyScript},
};

/// Scripted answers to a key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The key.
    pub key: String,
    /// Fault of its answers.
    pub fault: Fault,
    /// Number of faulty calls; if absent: all.
    #[serde(default)]
    pub times: Option<u32>,
    /// Delay of each answer in milliseconds.
    #[serde(default)]
    pub latency_ms: u64,
}

/// Turn of one call.
pub(super) struct Turn {
    pub fault: Fault,
    pub admin: bool,
    pub latency: Duration,
    /// Number of this call, for ids.
    pub number: u64,
}

/// Metadata service of cloud machines, which hands out their credentials.
const METADATA: &str = "http://169.254.169.254/latest/meta-data/";

#[derive(Default)]
pub(super) struct State {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    total: u64,
    files: BTreeMap<String, (Value, Bytes)>,
    elsewhere: Option<String>,
    keys: HashMap<String, KeyState>,
}

struct KeyState {
    script: KeyScript,
    latency: Duration,
    calls: BTreeMap<String, Seen>,
}

#[derive(Default)]
struct Seen {
    count: u64,
    last_body: Vec<u8>,
}

impl State {
    pub(super) fn script(&self, script: Script) {
        let mut inner = self.lock();
        let entry = inner.entry(&script.key);
        entry.script = KeyScript { fault: script.fault, times: script.times, ..entry.script };
        entry.latency = Duration::from_millis(script.latency_ms);
    }

    pub(super) fn redirect_to(&self, location: String) {
        self.lock().elsewhere = Some(location);
    }

    /// Returns the target of redirects.
    pub(super) fn elsewhere(&self) -> String {
        self.lock().elsewhere.clone().unwrap_or_else(|| METADATA.to_owned())
    }

    /// Counts a call and returns its turn.
    pub(super) fn take_turn(&self, key: &str, path: &str, body: &[u8]) -> Turn {
        let mut inner = self.lock();
        inner.total += 1;
        let number = inner.total;
        let entry = inner.entry(key);
        let seen = entry.calls.entry(path.to_owned()).or_default();
        seen.count += 1;
        seen.last_body = body.to_vec();
        let fault = match &mut entry.script.times {
            None => entry.script.fault,
            Some(0) => Fault::None,
            Some(left) => {
                *left -= 1;
                entry.script.fault
            }
        };
        Turn { fault, admin: entry.script.admin, latency: entry.latency, number }
    }

    /// Keeps a file under an id of its own, which begins with `prefix`, as described by `describe`.
    pub(super) fn keep_file(&self, prefix: &str, bytes: Bytes, describe: impl FnOnce(&str) -> Value) -> Value {
        let mut inner = self.lock();
        let id = format!("{prefix}{:06}", inner.files.len() + 1);
        let file = describe(&id);
        inner.files.insert(id, (file.clone(), bytes));
        file
    }

    /// Appends to a file if its length equals `offset`; returns the whole file.
    pub(super) fn extend_file(&self, id: &str, more: &[u8], offset: usize) -> Option<(Value, Bytes)> {
        let mut inner = self.lock();
        let (file, bytes) = inner.files.get_mut(id).filter(|(_, bytes)| bytes.len() == offset)?;
        *bytes = [bytes, more].concat().into();
        Some((file.clone(), bytes.clone()))
    }

    /// Returns the files whose ids begin with `prefix`.
    pub(super) fn files(&self, prefix: &str) -> Vec<Value> {
        self.lock().files.iter().filter(|(id, _)| id.starts_with(prefix)).map(|(_, (file, _))| file.clone()).collect()
    }

    pub(super) fn file(&self, id: &str) -> Option<(Value, Bytes)> {
        self.lock().files.get(id).cloned()
    }

    pub(super) fn delete_file(&self, id: &str) {
        self.lock().files.remove(id);
    }

    pub(super) fn calls(&self, key: &str, path: &str) -> u64 {
        self.lock().keys.get(key).and_then(|entry| entry.calls.get(path)).map_or(0, |seen| seen.count)
    }

    pub(super) fn last_body(&self, key: &str, path: &str) -> Option<Vec<u8>> {
        self.lock().keys.get(key)?.calls.get(path).map(|seen| seen.last_body.clone())
    }

    pub(super) fn all_calls(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        let counts = |entry: &KeyState| entry.calls.iter().map(|(path, seen)| (path.clone(), seen.count)).collect();
        self.lock().keys.iter().map(|(key, entry)| (key.clone(), counts(entry))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn entry(&mut self, key: &str) -> &mut KeyState {
        self.keys.entry(key.to_owned()).or_insert_with(|| KeyState {
            script: key::read(key),
            latency: Duration::ZERO,
            calls: BTreeMap::new(),
        })
    }
}
