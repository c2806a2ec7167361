//! A cache that forgets at once when told, never serves an entry past its time to live, and loads a missing one once
//! for all waiting callers.
//!
//! Forgetting increments a counter with which every entry was stamped before it was loaded: an entry whose load was
//! overtaken by an invalidation is stale on arrival, and nothing has to be found and removed.

use std::{
    hash::Hash,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use keyway_telemetry::metrics;
use prometheus::IntCounter;
use quick_cache::sync::Cache;
use uuid::Uuid;

/// Time to live of an entry, whatever happens to invalidations. Use does not prolong it.
pub(super) const TTL: Duration = Duration::from_secs(60);
/// Time to live of an absent entry: no invalidation says when it comes into being.
const ABSENT_TTL: Duration = Duration::from_secs(1);
/// Number of counters, which scopes share; a shared counter only costs a reload.
const COUNTERS: usize = 1024;

/// Result of a load.
pub(super) struct Loaded<V> {
    value: V,
    scopes: Vec<Uuid>,
}

/// An entry in use. It stays valid for its holder after the cache has forgotten it.
pub(super) struct Held<V>(Arc<Entry<V>>);

/// The cache. `V` is forgotten by its scopes, ids that invalidations name.
pub(super) struct WarmCache<K, V> {
    name: &'static str,
    hits: IntCounter,
    misses: IntCounter,
    entries: Cache<K, Held<V>>,
    /// Number of times anything was forgotten.
    changes: AtomicU64,
    scopes: Scopes,
}

struct Entry<V> {
    value: V,
    /// Stamps of its scopes; none: no invalidation names it.
    stamps: Vec<Stamp>,
    expires: Instant,
}

/// Number of times that each scope was forgotten, by hash.
pub(super) struct Scopes(Box<[AtomicU64]>);

/// Count of a scope at the time the stamp was taken.
#[derive(Clone, Copy)]
pub(super) struct Stamp {
    slot: usize,
    count: u64,
}

impl Default for Scopes {
    fn default() -> Self {
        Self((0..COUNTERS).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Scopes {
    /// Takes a stamp. Must be called before anything of the scope is read.
    pub(super) fn stamp(&self, scope: Uuid) -> Stamp {
        let slot = slot(scope);
        Stamp { slot, count: self.0[slot].load(SeqCst) }
    }

    /// Returns `true` if none of these scopes was forgotten since.
    pub(super) fn hold(&self, stamps: &[Stamp]) -> bool {
        stamps.iter().all(|stamp| self.0[stamp.slot].load(SeqCst) == stamp.count)
    }

    /// Invalidates all stamps of the scope.
    pub(super) fn forget(&self, scope: Uuid) {
        self.0[slot(scope)].fetch_add(1, SeqCst);
    }

    /// Invalidates all stamps.
    pub(super) fn forget_all(&self) {
        for counter in &self.0 {
            counter.fetch_add(1, SeqCst);
        }
    }
}

impl<V> Loaded<V> {
    /// Returns the loaded value.
    pub(super) const fn value(&self) -> &V {
        &self.value
    }

    /// Builds an entry that is valid until its scope is forgotten.
    pub(super) fn present(value: V, scope: Uuid) -> Self {
        Self::present_in(value, vec![scope])
    }

    /// Builds an entry that is valid until one of its scopes is forgotten.
    pub(super) const fn present_in(value: V, scopes: Vec<Uuid>) -> Self {
        Self { value, scopes }
    }

    /// Builds an absent entry.
    pub(super) const fn absent(value: V) -> Self {
        Self { value, scopes: Vec::new() }
    }
}

impl<V> Deref for Held<V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.0.value
    }
}

impl<V> Clone for Held<V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Eq + Hash + Clone, V> WarmCache<K, V> {
    /// Builds an empty cache; `name` is its label in metrics.
    pub(super) fn new(name: &'static str, capacity: usize) -> Self {
        let [hits, misses] = ["hit", "miss"].map(|result| metrics().cache_lookups.with_label_values(&[name, result]));
        Self {
            name,
            hits,
            misses,
            entries: Cache::new(capacity),
            changes: AtomicU64::new(0),
            scopes: Scopes::default(),
        }
    }

    /// Takes stamps. Must be called before anything of these scopes is read for long use.
    pub(super) fn stamps(&self, scopes: &[Uuid]) -> Vec<Stamp> {
        scopes.iter().map(|scope| self.scopes.stamp(*scope)).collect()
    }

    /// Returns `true` if none of the scopes was forgotten since.
    pub(super) fn hold(&self, stamps: &[Stamp]) -> bool {
        self.scopes.hold(stamps)
    }

    /// Returns the entry, if it is present and fresh. Never waits.
    pub(super) fn peek(&self, key: &K, now: Instant) -> Option<Held<V>> {
        let entry = self.entries.get(key).filter(|entry| self.is_fresh(entry, now))?;
        self.hits.inc();
        Some(entry)
    }

    /// Returns the entry; a missing or stale one is loaded, once for all concurrent callers.
    pub(super) async fn get<E>(&self, key: &K, load: impl Future<Output = Result<Loaded<V>, E>>) -> Result<Held<V>, E> {
        loop {
            let guard = match self.entries.get_value_or_guard_async(key).await {
                Ok(entry) if self.is_fresh(&entry, Instant::now()) => return Ok(entry),
                Ok(_) => {
                    self.entries.remove_if(key, |entry| !self.is_fresh(entry, Instant::now()));
                    continue;
                }
                Err(guard) => guard,
            };
            self.misses.inc();
            let before = self.changes.load(SeqCst);
            let loaded = load.await?;
            let entry = self.stamped(loaded);
            if self.changes.load(SeqCst) == before {
                // Refused only when somebody removed the placeholder; the next request loads again.
                let _ = guard.insert(entry.clone());
            }
            return Ok(entry);
        }
    }

    /// Adds the entries that `read` returns, unless anything was forgotten while it ran.
    pub(super) async fn fill<E>(&self, read: impl Future<Output = Result<Vec<(K, Loaded<V>)>, E>>) -> Result<(), E> {
        let before = self.changes.load(SeqCst);
        let entries: Vec<_> = read.await?.into_iter().map(|(key, loaded)| (key, self.stamped(loaded))).collect();
        if self.changes.load(SeqCst) == before {
            for (key, entry) in entries {
                self.entries.insert(key, entry);
            }
        }
        Ok(())
    }

    /// Forgets every entry of a scope.
    pub(super) fn forget(&self, scope: Uuid) {
        // A load that sees the old count below cannot have seen this one change, and is not kept.
        self.changes.fetch_add(1, SeqCst);
        self.scopes.forget(scope);
        metrics().cache_invalidations.with_label_values(&[self.name]).inc();
    }

    /// Forgets everything.
    pub(super) fn forget_all(&self) {
        self.changes.fetch_add(1, SeqCst);
        self.scopes.forget_all();
        self.entries.clear();
        metrics().cache_invalidations.with_label_values(&[self.name]).inc();
    }

    fn stamped(&self, loaded: Loaded<V>) -> Held<V> {
        let stamps = self.stamps(&loaded.scopes);
        let ttl = if stamps.is_empty() { ABSENT_TTL } else { TTL };
        Held(Arc::new(Entry { value: loaded.value, stamps, expires: Instant::now() + ttl }))
    }

    fn is_fresh(&self, entry: &Held<V>, now: Instant) -> bool {
        let entry = &entry.0;
        now < entry.expires && self.scopes.hold(&entry.stamps)
    }
}

fn slot(scope: Uuid) -> usize {
    // The last bytes of a UUIDv7 are random.
    let bytes = scope.as_bytes();
    usize::from(u16::from_be_bytes([bytes[14], bytes[15]])) % COUNTERS
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, sync::atomic::AtomicUsize};

    use tokio::sync::Notify;

    use super::*;

    fn cache() -> WarmCache<u8, usize> {
        WarmCache::new("test", 16)
    }

    #[tokio::test]
    async fn a_missing_entry_is_loaded_once_for_all_who_wait() {
        let (cache, loads, scope) = (cache(), AtomicUsize::new(0), Uuid::now_v7());
        let load = async || {
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(Loaded::present(loads.fetch_add(1, SeqCst), scope))
        };
        let got = futures::future::join_all((0..8).map(|_| cache.get(&1, load()))).await;
        assert!(got.into_iter().all(|held| matches!(held, Ok(held) if *held == 0)));
        assert_eq!(cache.peek(&1, Instant::now()).map(|held| *held), Some(0));
        assert!(cache.peek(&1, Instant::now() + TTL).is_none(), "the time does not restart with use");
    }

    #[tokio::test]
    async fn forgetting_a_scope_leaves_the_others() {
        let (cache, one, two) = (cache(), Uuid::from_u128(1), Uuid::from_u128(2));
        for (key, scope) in [(1, one), (2, two)] {
            let Ok(_) = cache.get(&key, async { Ok::<_, Infallible>(Loaded::present(7, scope)) }).await;
        }
        cache.forget(one);
        assert!(cache.peek(&1, Instant::now()).is_none());
        assert!(cache.peek(&2, Instant::now()).is_some());
        cache.forget_all();
        assert!(cache.peek(&2, Instant::now()).is_none());
    }

    #[tokio::test]
    async fn an_entry_of_several_scopes_is_forgotten_by_each() {
        let (cache, scopes) = (cache(), [1, 2, 3].map(Uuid::from_u128));
        for scope in scopes {
            let load = async { Ok::<_, Infallible>(Loaded::present_in(7, scopes.to_vec())) };
            let Ok(_) = cache.get(&1, load).await;
            assert!(cache.peek(&1, Instant::now()).is_some());
            cache.forget(scope);
            assert!(cache.peek(&1, Instant::now()).is_none(), "{scope}");
        }
    }

    #[tokio::test]
    async fn a_load_that_an_invalidation_overtook_is_not_kept() {
        let (cache, scope) = (Arc::new(cache()), Uuid::now_v7());
        let (reading, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let stale = tokio::join!(
            cache.get(&1, async {
                reading.notify_one();
                go_on.notified().await;
                Ok::<_, Infallible>(Loaded::present(1, scope))
            }),
            async {
                reading.notified().await;
                cache.forget(scope);
                go_on.notify_one();
            }
        );
        assert!(matches!(stale.0, Ok(held) if *held == 1), "who asked before gets an answer");
        assert!(cache.peek(&1, Instant::now()).is_none(), "nobody after gets it");
    }

    #[tokio::test]
    async fn a_failed_load_is_tried_again_by_the_next_and_absence_is_short() {
        let cache = cache();
        assert!(cache.get(&1, async { Err::<Loaded<usize>, _>("away") }).await.is_err());
        let found = cache.get(&1, async { Ok::<_, Infallible>(Loaded::absent(0)) }).await;
        assert!(found.is_ok());
        assert!(cache.peek(&1, Instant::now()).is_some());
        assert!(cache.peek(&1, Instant::now() + ABSENT_TTL).is_none());
    }
}
