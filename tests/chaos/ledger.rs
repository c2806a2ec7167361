//! A client's memory: everything that was accepted, and the promised results.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use crate::harness::text;
use anyhow::Result;
use serde_json::Value;

/// The provider's reaction to a key with this prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) prefix: &'static str,
    pub(crate) status: &'static str,
    pub(crate) verdict: &'static str,
}

/// The kinds of keys that are submitted, by turns.
pub(crate) const KINDS: [Kind; 5] = [
    Kind { prefix: "sk-sim-good", status: "connected", verdict: "valid" },
    Kind { prefix: "sk-sim-revoked", status: "error", verdict: "invalid" },
    Kind { prefix: "sk-sim-good", status: "connected", verdict: "valid" },
    Kind { prefix: "sk-sim-restricted", status: "connected", verdict: "restricted" },
    Kind { prefix: "sk-sim-nocredit", status: "error", verdict: "no_credit" },
];

/// One accepted integration.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Kind of its newest accepted key.
    pub(crate) kind: Kind,
    /// Every operation that was accepted for it.
    pub(crate) operations: Vec<String>,
    /// Number of accepted replacements of its key.
    pub(crate) rotations: i64,
    /// `true` if its deletion was accepted.
    pub(crate) deleted: bool,
    /// `true` if a change was sent and its answer never came: either state is right.
    pub(crate) uncertain: bool,
}

/// The client's ledger. Ids are bare, as the database has them.
pub(crate) struct Ledger {
    entries: Mutex<BTreeMap<String, Entry>>,
    /// 2xx answers so far.
    pub(crate) accepted: AtomicU64,
    /// Refusals and answers that never came.
    pub(crate) refused: AtomicU64,
    /// Unexpected answers: neither accepted nor refused for now.
    wrong: Mutex<Vec<String>>,
    /// Messages that were seeded to become dead letters.
    pub(crate) poison: AtomicU64,
    next: AtomicU64,
    secret: String,
}

impl Ledger {
    /// An empty one; every key will carry `secret`.
    pub(crate) fn new(secret: String) -> Self {
        Self {
            entries: Mutex::default(),
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            wrong: Mutex::default(),
            poison: AtomicU64::new(0),
            next: AtomicU64::new(0),
            secret,
        }
    }

    /// A fresh key of a kind, which carries the canary, and a name nobody has.
    pub(crate) fn fresh(&self, kind: Kind) -> (String, String) {
        let number = self.next.fetch_add(1, Relaxed);
        (format!("key {number}"), format!("{}-{}-{number}", kind.prefix, self.secret))
    }

    /// The next kind by turns.
    pub(crate) fn kind(&self) -> Kind {
        KINDS[usize::try_from(self.next.load(Relaxed)).unwrap_or(0) % KINDS.len()]
    }

    /// Notes an accepted submission. Its integration's id.
    pub(crate) fn submitted(&self, kind: Kind, answer: &Value) -> Result<String> {
        let id = text(answer, "/integration/id")?;
        let operations = vec![bare(&text(answer, "/operation/id")?)];
        let entry = Entry { kind, operations, rotations: 0, deleted: false, uncertain: false };
        self.lock().insert(bare(&id), entry);
        self.accepted.fetch_add(1, Relaxed);
        Ok(id)
    }

    /// Notes an accepted operation on a known integration; `kind` is its new key's.
    pub(crate) fn changed(&self, id: &str, kind: Option<Kind>, answer: &Value) -> Result<()> {
        let operation = bare(&text(answer, "/operation/id")?);
        if let Some(entry) = self.lock().get_mut(&bare(id)) {
            entry.operations.push(operation);
            entry.rotations += i64::from(kind.is_some());
            entry.kind = kind.unwrap_or(entry.kind);
        }
        self.accepted.fetch_add(1, Relaxed);
        Ok(())
    }

    /// Notes an accepted deletion.
    pub(crate) fn deleted(&self, id: &str) {
        self.lock().entry(bare(id)).and_modify(|entry| entry.deleted = true);
        self.accepted.fetch_add(1, Relaxed);
    }

    /// Notes a refusal, or no answer at all. `id` is the integration that may have changed nevertheless.
    pub(crate) fn unanswered(&self, id: Option<&str>) {
        if let Some(id) = id {
            self.lock().entry(bare(id)).and_modify(|entry| entry.uncertain = true);
        }
        self.refused.fetch_add(1, Relaxed);
    }

    /// Notes an unexpected answer.
    pub(crate) fn wrong(&self, what: String) {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    /// Returns the unexpected answers since the last call.
    pub(crate) fn take_wrong(&self) -> Vec<String> {
        std::mem::take(&mut self.wrong.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Everything accepted so far.
    pub(crate) fn entries(&self) -> BTreeMap<String, Entry> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `op_0123...` as the database has it.
pub(crate) fn bare(id: &str) -> String {
    id.rsplit('_').next().unwrap_or_default().to_owned()
}
