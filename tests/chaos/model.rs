//! The visible result of any sequence of changes, in its simplest form.

use std::collections::BTreeMap;

use fastrand::Rng;

use crate::ledger::{KINDS, Kind};

/// Integrations that a sequence is about.
pub(crate) const SLOTS: usize = 3;

/// One step of a sequence.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// Its owner changes the integration in a slot.
    Change(usize, Change),
    /// A process is killed and started again.
    Crash(usize),
    /// Messages from the outbox come again, in the order in which they were written or in any.
    Again {
        /// `true` for any order.
        shuffled: bool,
    },
    /// Everything under way ends.
    Settle,
}

/// Action of an owner.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Create(Kind),
    Rotate(Kind),
    Switch(bool),
    Test,
    Delete,
}

/// Expected answer to a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    /// `true` if an operation is started.
    pub(crate) starts: bool,
}

/// One integration.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) kind: Kind,
    pub(crate) enabled: bool,
    pub(crate) deleted: bool,
    /// Number of the owner's actions in the audit log, by action.
    pub(crate) audited: BTreeMap<&'static str, usize>,
    pub(crate) operations: Vec<Started>,
}

/// An operation that was accepted.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) id: String,
    /// `true` if its secret was replaced, disabled or deleted since: it may end without a verdict.
    pub(crate) overtaken: bool,
    /// Final state, once seen.
    pub(crate) ended: Option<String>,
}

/// All integrations by id, and the one in each slot.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) slots: [Option<String>; SLOTS],
    pub(crate) known: BTreeMap<String, Known>,
}

/// A sequence that begins with one integration in each slot.
pub(crate) fn sequence(random: &mut Rng, length: usize, members: usize) -> Vec<Step> {
    let kind = |random: &mut Rng| KINDS[random.usize(..KINDS.len())];
    let mut steps: Vec<_> = (0..SLOTS).map(|slot| Step::Change(slot, Change::Create(kind(random)))).collect();
    steps.extend((0..length).map(|_| {
        let slot = random.usize(..SLOTS);
        match random.u32(..20) {
            0 => Step::Change(slot, Change::Create(kind(random))),
            1..5 => Step::Change(slot, Change::Rotate(kind(random))),
            5..8 => Step::Change(slot, Change::Switch(false)),
            8..12 => Step::Change(slot, Change::Switch(true)),
            12..14 => Step::Change(slot, Change::Test),
            14 => Step::Change(slot, Change::Delete),
            15..17 => Step::Crash(random.usize(..members)),
            17..19 => Step::Again { shuffled: random.bool() },
            _ => Step::Settle,
        }
    }));
    steps
}

impl Model {
    /// Returns the expected answer to a change of a slot.
    pub(crate) fn answer(&self, slot: usize, change: Change) -> Answered {
        let Some(known) = self.slots[slot].as_ref().and_then(|id| self.known.get(id)) else {
            return Answered { status: 202, starts: true };
        };
        let (status, starts) = match change {
            Change::Create(_) => (202, true),
            _ if known.deleted => (404, false),
            Change::Rotate(_) => (202, known.enabled),
            // Switched off, every replica has to drop it, even once more.
            Change::Switch(on) => (200, !on || !known.enabled),
            Change::Test if known.enabled => (202, true),
            Change::Test => (409, false),
            Change::Delete => (204, false),
        };
        Answered { status, starts }
    }

    /// Notes a change that was answered as expected; `id` is the integration's, `operation` the one it started.
    pub(crate) fn apply(&mut self, slot: usize, change: Change, id: String, operation: Option<String>) {
        if let Change::Create(kind) = change {
            let (audited, operations) = (BTreeMap::new(), Vec::new());
            self.slots[slot] = Some(id.clone());
            self.known.insert(id.clone(), Known { kind, enabled: true, deleted: false, audited, operations });
        }
        let Some(known) = self.known.get_mut(&id).filter(|known| !known.deleted) else { return };
        let action = match change {
            Change::Create(_) => Some("integration.created"),
            Change::Rotate(_) => Some("integration.credentials_replaced"),
            Change::Switch(on) => (on != known.enabled).then_some("integration.updated"),
            Change::Test => operation.is_some().then_some("integration.tested"),
            Change::Delete => Some("integration.deleted"),
        };
        if let Some(action) = action {
            *known.audited.entry(action).or_default() += 1;
        }
        match change {
            Change::Rotate(kind) => known.kind = kind,
            Change::Switch(on) => known.enabled = on,
            Change::Delete => known.deleted = true,
            Change::Create(_) | Change::Test => {}
        }
        if matches!(change, Change::Rotate(_) | Change::Switch(false) | Change::Delete) {
            let open = known.operations.iter_mut().filter(|operation| operation.ended.is_none());
            open.for_each(|operation| operation.overtaken = true);
        }
        // What a revocation starts finds no verdict.
        let verifies = operation.filter(|_| !matches!(change, Change::Switch(false)));
        known.operations.extend(verifies.map(|id| Started { id, overtaken: false, ended: None }));
    }
}

impl Started {
    /// Returns `true` if the operation may have this final state.
    pub(crate) fn may_be(&self, state: &str) -> bool {
        match &self.ended {
            Some(ended) => ended == state,
            None => state == "succeeded" || (self.overtaken && state == "failed"),
        }
    }
}
