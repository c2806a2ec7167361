//! Audit events for acts that an outsider can repeat at will: one per occurrence and minute, with a count. Counts that
//! are not written yet are in memory, bounded in number, and lost if the process is killed; the log has the first of
//! each. Must never be given a secret, or a text that a caller chose.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use keyway_domain::{Actor, AuditEvent, AuditOutcome, Body, Event, Message, MessageId, TenantId, Timestamp};
use keyway_store::{Store, StoreError, outbox, tenants};
use keyway_telemetry::metrics;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// Shortest time between two events of one occurrence.
const MINUTE: Duration = Duration::from_secs(60);
/// Time without repetition after which a count is written before its minute is over.
const QUIET: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_secs(1);
/// Largest number of occurrences counted separately; further ones are counted as one.
const MOST: usize = 2048;
/// Target of the event that counts the further ones.
const OTHERS: &str = "others";
/// Largest number of different things that one event says it was about.
const MOST_ABOUT: usize = 8;

/// Action, actor, target and origin that are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Occurrence {
    /// Tenant that the event belongs to; `None`: the operator's tenant.
    pub(crate) tenant_id: Option<TenantId>,
    pub(crate) action: &'static str,
    pub(crate) actor: Actor,
    pub(crate) target: String,
    /// Address of the origin, if there is one.
    pub(crate) address: Option<String>,
    /// Reason, one word.
    pub(crate) reason: &'static str,
}

/// Counts that are not written yet.
pub(crate) struct GroupedAudit {
    store: Store,
    groups: Mutex<HashMap<Occurrence, Group>>,
}

struct Group {
    count: u64,
    /// Field of the event and the things in it that the occurrences were about, as far as there is room.
    about: Option<(&'static str, BTreeSet<String>)>,
    first_at: Timestamp,
    last_at: Timestamp,
    first: Instant,
    last: Instant,
    written: Option<Instant>,
}

impl GroupedAudit {
    /// Builds an empty set of counts.
    pub(crate) fn new(store: Store) -> Self {
        Self { store, groups: Mutex::default() }
    }

    /// Counts an occurrence, with the field of its event that says what it was about, if it was about anything. Returns
    /// `true` if it is the first one of the next event.
    pub(crate) fn note(&self, occurrence: Occurrence, about: Option<(&'static str, String)>) -> bool {
        let (at, now) = (Timestamp::now(), Instant::now());
        let mut groups = self.groups();
        let is_beyond = groups.len() >= MOST && !groups.contains_key(&occurrence);
        let occurrence = if is_beyond {
            let actor = Actor::System { part: OTHERS.to_owned() };
            Occurrence { tenant_id: None, actor, target: OTHERS.to_owned(), address: None, ..occurrence }
        } else {
            occurrence
        };
        let new = Group { about: None, count: 0, first_at: at, last_at: at, first: now, last: now, written: None };
        let group = groups.entry(occurrence).or_insert(new);
        if group.count == 0 {
            (group.first_at, group.first, group.about) = (at, now, None);
        }
        group.count += 1;
        if let Some((field, thing)) = about {
            let (_, things) = group.about.get_or_insert_with(|| (field, BTreeSet::new()));
            if things.len() < MOST_ABOUT {
                things.insert(thing);
            }
        }
        (group.last_at, group.last) = (at, now);
        if group.count == 1 {
            metrics().audit_grouped.inc();
        }
        group.count == 1
    }

    /// Writes due events, until `stop`.
    pub(crate) async fn keep_writing(&self, stop: &CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(TICK)).await.is_some() {
            if let Err(error) = self.write(Group::is_due).await {
                tracing::warn!(%error, "audit events wait for the database");
            }
        }
    }

    /// Writes all counts, for a graceful stop.
    ///
    /// # Errors
    /// The database is away.
    pub(crate) async fn write_all(&self) -> Result<(), StoreError> {
        self.write(|group, _| group.count > 0).await
    }

    async fn write(&self, is_due: fn(&Group, Instant) -> bool) -> Result<(), StoreError> {
        let now = Instant::now();
        let due: Vec<_> = {
            let mut groups = self.groups();
            groups.retain(|_, group| group.count > 0 || group.is_apart(now));
            let due = groups.iter().filter(|(_, group)| is_due(group, now));
            due.map(|(occurrence, group)| (occurrence.clone(), group.count, group.event(occurrence))).collect()
        };
        if due.is_empty() {
            return Ok(());
        }
        let tx = self.store.system().await?;
        let operators = tenants::find_by_name(&tx, tenants::DEFAULT_NAME).await?.ok_or(StoreError::NotFound)?.id;
        let messages = due.iter().map(|(occurrence, _, event)| {
            let body = Body::Event(Event::Audited(event.clone()));
            Message::new(MessageId::new(), occurrence.tenant_id.unwrap_or(operators), body)
        });
        outbox::insert(&tx, &messages.collect::<Vec<_>>(), Timestamp::now()).await?;
        tx.commit().await?;
        let mut groups = self.groups();
        for (occurrence, count, _) in due {
            if let Some(group) = groups.get_mut(&occurrence) {
                // What came meanwhile is part of the next.
                group.count -= count;
                if group.count == 0 {
                    metrics().audit_grouped.dec();
                }
                (group.first, group.first_at) = (now, group.last_at);
                group.written = Some(now);
            }
        }
        Ok(())
    }

    fn groups(&self) -> MutexGuard<'_, HashMap<Occurrence, Group>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Group {
    fn is_due(&self, now: Instant) -> bool {
        let has_ended = now.duration_since(self.last) >= QUIET || now.duration_since(self.first) >= MINUTE;
        self.count > 0 && has_ended && !self.is_apart(now)
    }

    /// Returns `true` if the next event would come too soon after the last.
    fn is_apart(&self, now: Instant) -> bool {
        self.written.is_some_and(|written| now.duration_since(written) < MINUTE)
    }

    fn event(&self, occurrence: &Occurrence) -> AuditEvent {
        let mut changes = json!({ "reason": occurrence.reason, "count": self.count,
            "first_at": self.first_at.to_string(), "last_at": self.last_at.to_string() });
        if let (Some(address), Value::Object(changes)) = (&occurrence.address, &mut changes) {
            changes.insert("address".to_owned(), address.as_str().into());
        }
        if let (Some((field, things)), Value::Object(changes)) = (&self.about, &mut changes) {
            changes.insert((*field).to_owned(), json!(things));
        }
        AuditEvent {
            action: occurrence.action.to_owned(),
            actor: occurrence.actor.clone(),
            target: occurrence.target.clone(),
            outcome: AuditOutcome::Denied,
            occurred_at: self.first_at,
            request_id: None,
            changes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(count: u64, first: Instant, last: Instant, written: Option<Instant>) -> Group {
        let at = Timestamp::now();
        Group { about: None, count, first_at: at, last_at: at, first, last, written }
    }

    #[test]
    fn an_event_comes_when_it_is_quiet_or_the_minute_is_over_and_never_twice_in_one() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        for (group, now, due) in [
            (group(3, at(0), at(1), None), at(2), false),
            (group(3, at(0), at(1), None), at(6), true),
            (group(3, at(0), at(59), None), at(59), false),
            (group(3, at(0), at(60), None), at(60), true),
            (group(0, at(0), at(1), None), at(90), false),
            (group(1, at(30), at(30), Some(at(6))), at(40), false),
            (group(1, at(30), at(30), Some(at(6))), at(66), true),
        ] {
            assert_eq!(group.is_due(now), due, "{} {now:?}", group.count);
        }
    }
}
