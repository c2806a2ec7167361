//! What open pages are told: notices of the bus, numbered, with the latest of them kept in memory, so that a page whose
//! connection broke goes on where it was. Never holds content, and never waits for a page.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use keyway_domain::{Invalidation, Notice, Timestamp};
use tokio::sync::broadcast;

/// Number of notices that a page may have missed and still go on.
const KEPT: usize = 4096;
/// Number of notices that a page's stream may lag behind.
const BACKLOG: usize = 1024;

/// Something to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// A row changed.
    Changed(Numbered),
    /// Notices may have been missed.
    Gap,
    /// What a principal may do has changed: its streams end, and ask anew.
    Principal(Invalidation),
    /// The process stops, or may have missed what principals may do now.
    End,
}

/// A notice with its number, which is above that of every earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbered {
    pub(crate) number: u64,
    pub(crate) notice: Notice,
}

/// Notices of this process.
pub(crate) struct Live {
    /// Time of its start in milliseconds, so that numbers of another process are known as such.
    epoch: i64,
    ring: Mutex<Ring>,
    sender: broadcast::Sender<Told>,
}

/// The latest notices.
struct Ring {
    /// Number of the next one.
    next: u64,
    kept: VecDeque<Numbered>,
}

/// Beginning of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// Nothing was missed, or the page has just been opened.
    Whole,
    /// These were missed.
    Missed(Vec<Numbered>),
    /// What was missed is not known.
    Unknown,
}

impl Live {
    pub(crate) fn new(now: Timestamp) -> Self {
        let ring = Ring { next: 1, kept: VecDeque::with_capacity(KEPT) };
        Self { epoch: now.ms(), ring: Mutex::new(ring), sender: broadcast::Sender::new(BACKLOG) }
    }

    /// Tells every stream of these changes.
    pub(crate) fn tell(&self, notices: impl IntoIterator<Item = Notice>) {
        let mut ring = self.ring();
        for notice in notices {
            let numbered = Numbered { number: ring.next, notice };
            ring.next += 1;
            if ring.kept.len() == KEPT {
                ring.kept.pop_front();
            }
            ring.kept.push_back(numbered);
            self.send(Told::Changed(numbered));
        }
    }

    /// Tells every stream that notices may have been missed; nobody goes on from before.
    pub(crate) fn gap(&self) {
        let mut ring = self.ring();
        ring.next += 1;
        ring.kept.clear();
        self.send(Told::Gap);
    }

    /// Ends the streams of a principal.
    pub(crate) fn forget(&self, what: Invalidation) {
        self.send(Told::Principal(what));
    }

    /// Ends every stream.
    pub(crate) fn end(&self) {
        self.send(Told::End);
    }

    /// Subscribes a stream that has seen everything up to the event of this id.
    pub(crate) fn subscribe(&self, last: Option<&str>) -> (Beginning, broadcast::Receiver<Told>) {
        let ring = self.ring();
        let beginning = match last {
            None => Beginning::Whole,
            Some(id) => self.number_of(id).map_or(Beginning::Unknown, |number| ring.since(number)),
        };
        (beginning, self.sender.subscribe())
    }

    /// Returns the id of the event with this number.
    pub(crate) fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.epoch)
    }

    /// Returns the id of the last event so far.
    pub(crate) fn last_id(&self) -> String {
        self.id(self.ring().next - 1)
    }

    fn number_of(&self, id: &str) -> Option<u64> {
        let (epoch, number) = id.split_once('-')?;
        number.parse().ok().filter(|_| epoch.parse() == Ok(self.epoch))
    }

    fn ring(&self) -> std::sync::MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, told: Told) {
        // Nobody listening is nothing to do.
        let _ = self.sender.send(told);
    }
}

impl Ring {
    fn since(&self, number: u64) -> Beginning {
        let first = self.kept.front().map_or(self.next, |numbered| numbered.number);
        match number {
            number if number >= self.next || number + 1 < first => Beginning::Unknown,
            number if number + 1 == self.next => Beginning::Whole,
            number => Beginning::Missed(self.kept.iter().filter(|it| it.number > number).copied().collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use keyway_domain::{Noticed, TenantId};

    use super::*;

    #[test]
    fn a_page_goes_on_where_it_was_or_asks_anew() {
        let live = Live::new(Timestamp::from_ms(7));
        let notice = Notice::new(TenantId::new(), Noticed::Status(None), Timestamp::from_ms(8));
        let begin = |last: &str| live.subscribe(Some(last)).0;
        assert_eq!(live.last_id(), "7-0");
        assert_eq!(live.subscribe(None).0, Beginning::Whole);
        assert_eq!(begin("7-0"), Beginning::Whole);
        live.tell([notice, notice]);
        assert_eq!(live.last_id(), "7-2");
        let Beginning::Missed(missed) = begin("7-1") else { panic!("one is missed") };
        assert_eq!(missed, [Numbered { number: 2, notice }]);
        assert_eq!(begin("7-2"), Beginning::Whole);
        for unknown in ["6-1", "7-3", "7-", "", "x", "7-99999999999999999999"] {
            assert_eq!(begin(unknown), Beginning::Unknown, "{unknown}");
        }
        live.gap();
        for before in ["7-0", "7-1", "7-2"] {
            assert_eq!(begin(before), Beginning::Unknown, "{before}");
        }
        assert_eq!(begin(&live.last_id()), Beginning::Whole);
        live.tell(std::iter::repeat_n(notice, KEPT + 1));
        assert_eq!(begin("7-3"), Beginning::Unknown, "it is not kept any more");
        assert!(matches!(begin("7-4"), Beginning::Missed(missed) if missed.len() == KEPT));
    }
}
