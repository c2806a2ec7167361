//! The judge of a log: takes its entries and checkpoints in order, and stops at the first that is wrong. Must never read a
//! clock or a database.

use keyway_domain::TenantId;

use crate::{
    checkpoint::{Checkpoint, log_name},
    entry::Entry,
    error::{AuditFault, NoteFault},
    key::{self, PublicKey},
    tree::{Hash, NO_HASH, Tree},
};

/// What was proved of a log without a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// Number of entries.
    pub entries: u64,
    /// Last checkpoint that holds; `None` if there was none.
    pub signed: Option<Checkpoint>,
}

/// Judge of one log.
pub struct Verifier {
    log: String,
    keys: Vec<PublicKey>,
    tree: Tree,
    last: Hash,
    signed: Option<Checkpoint>,
    /// Checkpoints that were kept elsewhere, the smallest last.
    kept: Vec<Checkpoint>,
}

impl Verifier {
    /// Starts at the first entry of a tenant's log, with the keys that may sign its checkpoints.
    #[must_use]
    pub fn new(tenant_id: TenantId, keys: Vec<PublicKey>) -> Self {
        Self { log: log_name(tenant_id), keys, tree: Tree::default(), last: NO_HASH, signed: None, kept: Vec::new() }
    }

    /// Adds checkpoints that were kept elsewhere, their notes one after the other; those of other logs are passed over. All
    /// must hold, too: a log that was cut and goes on from there is seen by them alone.
    ///
    /// # Errors
    /// [`NoteFault`]: a note that none of the keys has signed.
    pub fn hold_to(&mut self, notes: &str) -> Result<(), NoteFault> {
        for note in key::notes(notes) {
            let checkpoint = key::open(&note, &self.keys)?;
            if checkpoint.log == self.log {
                self.kept.push(checkpoint);
            }
        }
        self.kept.sort_by_key(|checkpoint| std::cmp::Reverse(checkpoint.size));
        Ok(())
    }

    /// Takes the next entry.
    ///
    /// # Errors
    /// [`AuditFault`] with the first entry that is wrong.
    pub fn entry(&mut self, entry: &Entry) -> Result<(), AuditFault> {
        let expected = self.tree.size() + 1;
        if entry.sequence != expected {
            return Err(AuditFault::Gap { expected, found: entry.sequence });
        }
        if !entry.follows(&self.last) {
            return Err(AuditFault::Changed(expected));
        }
        self.last = entry.hash;
        self.tree.push(entry.hash);
        while let Some(checkpoint) = self.kept.pop_if(|checkpoint| checkpoint.size == self.tree.size()) {
            self.holds(&checkpoint)?;
        }
        Ok(())
    }

    /// Takes a checkpoint that holds all entries so far and no more.
    ///
    /// # Errors
    /// [`AuditFault`] with the first entry that is wrong.
    pub fn checkpoint(&mut self, note: &str) -> Result<(), AuditFault> {
        let size = self.tree.size();
        let checkpoint = key::open(note, &self.keys).map_err(|fault| AuditFault::Note(size, fault))?;
        if checkpoint.log != self.log {
            return Err(AuditFault::OtherLog(size, checkpoint.log));
        }
        if checkpoint.size > size {
            return Err(AuditFault::Truncated(size + 1, checkpoint.size));
        }
        self.holds(&checkpoint)?;
        self.signed = Some(checkpoint);
        Ok(())
    }

    /// Ends; `expected` entries were announced, if that is known.
    ///
    /// # Errors
    /// [`AuditFault::Truncated`]: there are fewer entries than were announced or signed.
    pub fn end(self, expected: Option<u64>) -> Result<Proven, AuditFault> {
        let entries = self.tree.size();
        let most = self.kept.iter().map(|checkpoint| checkpoint.size).chain(expected).max().unwrap_or(0);
        if most > entries {
            return Err(AuditFault::Truncated(entries + 1, most));
        }
        match expected {
            Some(expected) if expected < entries => {
                Err(AuditFault::Gap { expected: expected + 1, found: expected + 1 })
            }
            _ => Ok(Proven { entries, signed: self.signed }),
        }
    }

    fn holds(&self, checkpoint: &Checkpoint) -> Result<(), AuditFault> {
        if checkpoint.size == self.tree.size() && checkpoint.root == self.tree.root() {
            return Ok(());
        }
        let first = self.signed.as_ref().map_or(0, |signed| signed.size) + 1;
        Err(AuditFault::Restamped { first: first.min(checkpoint.size), last: checkpoint.size })
    }
}

#[cfg(test)]
mod tests {
    use keyway_domain::Timestamp;
    use keyway_vault::{Keyring, Vault};

    use super::*;
    use crate::{export::Line, key::Signer};

    struct Log {
        tenant_id: TenantId,
        signer: Signer,
        lines: Vec<Line>,
    }

    impl Log {
        /// A log of seven entries, with checkpoints of the first three and of six.
        fn new() -> Self {
            let vault = Vault::open(Keyring::generate().unwrap());
            let mut log = Self { tenant_id: TenantId::new(), signer: Signer::of(&vault).unwrap(), lines: Vec::new() };
            log.write(&["a", "b", "c", "d", "e", "f", "g"], true);
            log
        }

        /// Writes a log anew, as somebody with the database can; with checkpoints only who has the key.
        fn write(&mut self, events: &[&str], sign: bool) {
            let (mut tree, mut last, mut lines) = (Tree::default(), NO_HASH, Vec::new());
            for event in events {
                let entry = Entry::after(tree.size(), &last, (*event).to_owned());
                last = entry.hash;
                tree.push(last);
                lines.push(Line::Entry(entry));
                if sign && matches!(tree.size(), 3 | 6) {
                    lines.push(Line::Checkpoint(self.note(tree.size(), tree.root())));
                }
            }
            self.lines = lines;
        }

        fn note(&self, size: u64, root: Hash) -> String {
            let at = Timestamp::from_ms(0);
            self.signer.sign(&Checkpoint { log: log_name(self.tenant_id), size, root, at })
        }

        fn notes(&self) -> Vec<Line> {
            self.lines.iter().filter(|line| matches!(line, Line::Checkpoint(_))).cloned().collect()
        }

        fn verify(&self) -> Result<Proven, AuditFault> {
            self.verify_with("")
        }

        fn verify_with(&self, anchor: &str) -> Result<Proven, AuditFault> {
            let mut verifier = Verifier::new(self.tenant_id, vec![self.signer.public().clone()]);
            verifier.hold_to(anchor).unwrap();
            for line in &self.lines {
                match line {
                    Line::Entry(entry) => verifier.entry(entry)?,
                    Line::Checkpoint(note) => verifier.checkpoint(note)?,
                    Line::End(_) => {}
                }
            }
            verifier.end(None)
        }
    }

    #[test]
    fn a_log_as_it_was_written_is_proved() {
        let proven = Log::new().verify().unwrap();
        assert_eq!((proven.entries, proven.signed.map(|checkpoint| checkpoint.size)), (7, Some(6)));
    }

    #[test]
    fn the_first_bad_entry_is_named() {
        type Tamper = fn(&mut Vec<Line>);
        // Lines: entries 1 to 3, a checkpoint, entries 4 to 6, a checkpoint, entry 7.
        let cases: [(&str, Tamper, u64); 7] = [
            (
                "changed",
                |lines| {
                    if let Line::Entry(entry) = &mut lines[1] {
                        entry.bytes = "B".to_owned()
                    }
                },
                2,
            ),
            ("changed with its hash", |lines| lines[1] = Line::Entry(Entry::after(1, &NO_HASH, "B".to_owned())), 2),
            ("dropped", |lines| drop(lines.remove(4)), 4),
            ("doubled", |lines| lines.insert(2, lines[1].clone()), 3),
            ("swapped", |lines| lines.swap(5, 6), 5),
            ("the tail cut below a checkpoint", |lines| drop(lines.drain(5..7)), 5),
            ("a checkpoint later than it was", |lines| lines.swap(3, 4), 1),
        ];
        for (what, tamper, first) in cases {
            let mut log = Log::new();
            tamper(&mut log.lines);
            assert_eq!(log.verify().map_err(|fault| fault.first_bad()), Err(first), "{what}");
        }
    }

    #[test]
    fn a_log_that_was_written_anew_without_the_key_is_found_out() {
        let mut log = Log::new();
        let notes = log.notes();
        log.write(&["a", "b", "c", "D", "e", "f", "g"], false);
        log.lines.insert(3, notes[0].clone());
        log.lines.insert(7, notes[1].clone());
        assert_eq!(log.verify(), Err(AuditFault::Restamped { first: 4, last: 6 }));
    }

    #[test]
    fn a_log_that_was_cut_and_goes_on_is_found_out_by_a_checkpoint_that_was_kept() {
        let mut log = Log::new();
        let Line::Checkpoint(kept) = log.notes()[1].clone() else { unreachable!() };
        log.write(&["a", "b", "c", "x"], true);
        assert!(log.verify().is_ok());
        assert_eq!(log.verify_with(&kept), Err(AuditFault::Truncated(5, 6)));
        log.write(&["a", "b", "c", "x", "y", "z", "w"], true);
        assert_eq!(log.verify_with(&kept).map_err(|fault| fault.first_bad()), Err(4));
    }

    #[test]
    fn a_checkpoint_of_another_log_or_key_is_refused() {
        let (mut log, other) = (Log::new(), Log::new());
        log.lines[3] = other.lines[3].clone();
        assert_eq!(log.verify(), Err(AuditFault::Note(3, NoteFault::UnknownKey)));
        let mut log = Log::new();
        let at = Timestamp::from_ms(0);
        let note = Checkpoint { log: "keyway.audit/other".to_owned(), size: 3, root: [0; 32], at };
        log.lines[3] = Line::Checkpoint(log.signer.sign(&note));
        assert!(matches!(log.verify(), Err(AuditFault::OtherLog(3, _))));
    }
}
