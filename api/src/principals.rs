//! The principals that this process has in memory, so that a warm session or service costs no database round trip but
//! one a minute, which notes that it is used. What a committed change touches is dropped at once here, and in every
//! other replica when the bus says so.
//!
//! An entry whose load was overtaken by an invalidation is not kept. A full cache gives up what is used least: whoever
//! brings many tokens pushes nobody else out. Holds no token, only hashes.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use keyway_domain::{Invalidation, Timestamp};
use keyway_store::{
    Store, StoreError, services,
    sessions::{self, TOUCH_EVERY},
};
use keyway_vault::SentServiceToken;
use quick_cache::sync::Cache;

use crate::principal::{self, Principal};

/// Largest number of principals kept.
const MOST: usize = 10_000;
/// Time to live of an entry: then it is read again, which notes that it is used.
const TTL: Duration = TOUCH_EVERY;

/// Principals by what proves them.
pub(crate) struct Principals {
    entries: Cache<Key, Entry>,
    /// Number of times anything was dropped. Locked while entries are added or dropped, never to find one.
    changes: Mutex<u64>,
}

impl Default for Principals {
    fn default() -> Self {
        Self { entries: Cache::new(MOST), changes: Mutex::default() }
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Session([u8; 32]),
    Service(String),
}

#[derive(Clone)]
struct Entry {
    principal: Arc<Principal>,
    until: Instant,
}

impl Principals {
    /// Returns the person whose session's token has this hash; `None`: there is no such session any more.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub(crate) async fn session(&self, store: &Store, sha256: &[u8; 32]) -> Result<Option<Arc<Principal>>, StoreError> {
        let (key, now) = (Key::Session(*sha256), Timestamp::now());
        let before = match self.warm(&key) {
            Ok(principal) => return Ok(Some(principal).filter(|principal| principal.holds(now))),
            Err(before) => before,
        };
        let Some(mut found) = principal::signed_in(&store.system_read().await?, sha256, now).await? else {
            return Ok(None);
        };
        let tx = store.system().await?;
        let Some(idle_ends_at) = sessions::touch(&tx, found.session.id, now).await? else { return Ok(None) };
        tx.commit().await?;
        found.session.idle_ends_at = idle_ends_at;
        Ok(Some(self.keep(key, Principal::User(found), before)))
    }

    /// Returns the service that this token proves; `None`: none does.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub(crate) async fn service(
        &self,
        store: &Store,
        sent: &SentServiceToken<'_>,
    ) -> Result<Option<Arc<Principal>>, StoreError> {
        let (key, now) = (Key::Service(sent.public_id.to_owned()), Timestamp::now());
        let is_proved = |principal: &Arc<Principal>| {
            matches!(&**principal, Principal::Service(service) if sent.is(&service.row.token_sha256))
                && principal.holds(now)
        };
        let before = match self.warm(&key) {
            Ok(principal) => return Ok(Some(principal).filter(is_proved)),
            Err(before) => before,
        };
        let found = principal::service(&store.system_read().await?, sent.public_id, now).await?;
        let Some(found) = found.filter(|found| sent.is(&found.row.token_sha256)) else { return Ok(None) };
        let tx = store.system().await?;
        services::touch(&tx, found.row.id, now).await?;
        tx.commit().await?;
        Ok(Some(self.keep(key, Principal::Service(found), before)))
    }

    /// Drops what a change touches.
    pub(crate) fn forget(&self, what: Invalidation) {
        if matches!(what, Invalidation::User { .. } | Invalidation::Service { .. }) {
            let mut changes = self.changes();
            *changes += 1;
            self.entries.retain(|_, entry| !entry.principal.is_touched_by(what));
        }
    }

    /// Drops everything: invalidations may have been missed.
    pub(crate) fn forget_all(&self) {
        let mut changes = self.changes();
        *changes += 1;
        self.entries.clear();
    }

    /// Returns a warm entry, or the number of changes before a load.
    fn warm(&self, key: &Key) -> Result<Arc<Principal>, u64> {
        match self.entries.get(key).filter(|entry| entry.until > Instant::now()) {
            Some(entry) => Ok(entry.principal),
            None => Err(*self.changes()),
        }
    }

    fn keep(&self, key: Key, principal: Principal, before: u64) -> Arc<Principal> {
        let principal = Arc::new(principal);
        let changes = self.changes();
        if *changes == before {
            let entry = Entry { principal: Arc::clone(&principal), until: Instant::now() + TTL };
            self.entries.insert(key, entry);
        }
        principal
    }

    fn changes(&self) -> MutexGuard<'_, u64> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Principal {
    /// Returns `true` until the session or the token has ended by itself.
    fn holds(&self, now: Timestamp) -> bool {
        match self {
            Self::User(signed_in) => signed_in.session.idle_ends_at > now,
            Self::Service(service) => service.row.is_valid(now),
            Self::Application(key) => key.revoked_at.is_none() && key.expires_at.is_none_or(|at| at > now),
            Self::Nobody | Self::Operator(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use keyway_domain::{Actor, ServiceId};

    use super::*;

    fn put(principals: &Principals, key: u8, before: u64) {
        drop(principals.keep(Key::Session([key; 32]), Principal::Operator(Actor::Admin), before));
    }

    #[test]
    fn what_was_loaded_while_something_changed_is_not_kept() {
        let principals = Principals::default();
        let before = principals.warm(&Key::Session([1; 32])).unwrap_err();
        put(&principals, 1, before);
        assert!(principals.warm(&Key::Session([1; 32])).is_ok());
        let before = principals.warm(&Key::Session([2; 32])).unwrap_err();
        principals.forget(Invalidation::Service { id: ServiceId::new() });
        put(&principals, 2, before);
        assert!(principals.warm(&Key::Session([2; 32])).is_err());
        assert!(principals.warm(&Key::Session([1; 32])).is_ok(), "of others nothing is dropped");
        principals.forget_all();
        assert!(principals.warm(&Key::Session([1; 32])).is_err());
    }

    #[test]
    fn a_flood_of_others_neither_grows_it_nor_pushes_out_who_is_at_work() {
        let principals = Principals::default();
        put(&principals, 1, 0);
        for flood in 0..3 * MOST {
            if flood % 100 == 0 {
                assert!(principals.warm(&Key::Session([1; 32])).is_ok(), "after {flood} others");
            }
            let key = Key::Service(flood.to_string());
            drop(principals.keep(key, Principal::Operator(Actor::Admin), 0));
        }
        assert!(principals.entries.len() <= MOST, "{}", principals.entries.len());
    }
}
