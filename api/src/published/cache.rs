//! Publications that this process has in memory: whole collections, so that a warm one is read without a database. A committed
//! change drops those of its tenant at once here, and in every other replica when the bus says so.
//!
//! A collection whose load was overtaken by an invalidation is not kept. Memory is bounded; what is used least goes first.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use keyway_domain::TenantId;
use keyway_store::{Store, StoreError};
use quick_cache::{Weighter, sync::Cache};
use tokio::sync::Semaphore;

use super::{load, shelf::Shelf};

/// Memory of all collections together, in bytes.
const MOST_BYTES: u64 = 256 << 20;
/// Collections that are expected at once: so few that the cache is one piece, and a collection may take most of it.
const EXPECTED: usize = 32;
/// Loads at once: whoever asks for much that is not there takes no connections from others.
const LOADS: usize = 4;
/// Time to live of a collection, should a change of it never be told.
const TTL: Duration = Duration::from_secs(60);

/// Collections by the tenant and the name in the path.
pub(crate) struct PublishedCache {
    shelves: Cache<String, Kept, ByBytes>,
    /// Number of times anything was dropped.
    changes: AtomicU64,
    loads: Semaphore,
}

#[derive(Clone)]
struct Kept {
    shelf: Arc<Shelf>,
    until: Instant,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<String, Kept> for ByBytes {
    fn weight(&self, _: &String, kept: &Kept) -> u64 {
        kept.shelf.bytes()
    }
}

impl Default for PublishedCache {
    fn default() -> Self {
        Self {
            shelves: Cache::with_weighter(EXPECTED, MOST_BYTES, ByBytes),
            changes: AtomicU64::new(0),
            loads: Semaphore::new(LOADS),
        }
    }
}

impl PublishedCache {
    /// Returns a collection that is in memory; `place` is the tenant and the collection as they are in the path.
    pub(crate) fn warm(&self, place: &str) -> Option<Arc<Shelf>> {
        self.shelves.get(place).filter(|kept| kept.until > Instant::now()).map(|kept| kept.shelf)
    }

    /// Returns a collection, from the database if it is not in memory; `None`: there is none.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub(crate) async fn shelf(&self, store: &Store, place: &str) -> Result<Option<Arc<Shelf>>, StoreError> {
        if let Some(shelf) = self.warm(place) {
            return Ok(Some(shelf));
        }
        let _turn = self.loads.acquire().await;
        // Whoever was before may have loaded it.
        if let Some(shelf) = self.warm(place) {
            return Ok(Some(shelf));
        }
        let before = self.changes.load(Ordering::SeqCst);
        let Some(shelf) = load::load(store, place).await? else { return Ok(None) };
        let shelf = Arc::new(shelf);
        if self.changes.load(Ordering::SeqCst) == before {
            let kept = Kept { shelf: Arc::clone(&shelf), until: Instant::now() + TTL };
            self.shelves.insert(place.to_owned(), kept);
            // One that was overtaken between the look and the insertion goes again.
            if self.changes.load(Ordering::SeqCst) != before {
                self.shelves.remove(place);
            }
        }
        Ok(Some(shelf))
    }

    /// Drops the collections of a tenant.
    pub(crate) fn forget(&self, tenant_id: TenantId) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.shelves.retain(|_, kept| kept.shelf.tenant_id() != tenant_id);
    }

    /// Drops everything: invalidations may have been missed.
    pub(crate) fn forget_all(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.shelves.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_a_large_collection_is_kept() {
        let cache = PublishedCache::default();
        let put = |name: String, bytes: u64| {
            let shelf = Arc::new(Shelf::weighing(TenantId::new(), bytes));
            cache.shelves.insert(name, Kept { shelf, until: Instant::now() + TTL });
        };
        for number in 0..5_000 {
            put(number.to_string(), 1 << 20);
        }
        assert!(cache.shelves.len() > 200 && cache.shelves.weight() <= MOST_BYTES, "{}", cache.shelves.len());
        put("large".to_owned(), MOST_BYTES / 4 * 3);
        assert!(cache.warm("large").is_some() && cache.shelves.weight() <= MOST_BYTES);
    }

    #[test]
    fn what_a_tenant_changed_goes_and_that_of_others_stays() {
        let cache = PublishedCache::default();
        let (own, other) = (TenantId::new(), TenantId::new());
        for (name, tenant_id) in [("own", own), ("other", other)] {
            let shelf = Arc::new(Shelf::weighing(tenant_id, 1));
            cache.shelves.insert(name.to_owned(), Kept { shelf, until: Instant::now() + TTL });
        }
        cache.forget(own);
        assert!(cache.warm("own").is_none() && cache.warm("other").is_some());
        cache.forget_all();
        assert!(cache.warm("other").is_none());
    }
}
