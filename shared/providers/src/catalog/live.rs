//! The catalog in use. A new one replaces the old one as a whole: a request or job keeps its snapshot to the end, so
//! that it never mixes two catalogs.

use std::{path::Path, sync::Arc};

use tokio::sync::watch;

use super::{Catalog, CatalogError};

/// The catalog in use, shared by all clones.
#[derive(Clone, Debug)]
pub struct LiveCatalog(Arc<watch::Sender<Arc<Catalog>>>);

/// A subscription to replacements of the catalog.
pub struct CatalogChanges(watch::Receiver<Arc<Catalog>>);

impl LiveCatalog {
    /// Makes `catalog` the first one in use.
    #[must_use]
    pub fn new(catalog: Catalog) -> Self {
        Self(Arc::new(watch::Sender::new(Arc::new(catalog))))
    }

    /// Loads a first catalog like [`Catalog::load`].
    ///
    /// # Errors
    /// See [`CatalogError`].
    pub fn load(file: Option<&Path>) -> Result<Self, CatalogError> {
        Catalog::load(file).map(Self::new)
    }

    /// Returns the current catalog. Call once per request or job, and keep the result until it is done.
    #[must_use]
    pub fn now(&self) -> Arc<Catalog> {
        Arc::clone(&self.0.borrow())
    }

    /// Makes another catalog the one in use.
    pub fn replace(&self, catalog: Catalog) {
        self.0.send_replace(Arc::new(catalog));
    }

    /// Subscribes to later replacements.
    #[must_use]
    pub fn changes(&self) -> CatalogChanges {
        CatalogChanges(self.0.subscribe())
    }
}

impl CatalogChanges {
    /// Waits for the next replacement and returns it. Never returns once the catalog is dropped.
    pub async fn next(&mut self) -> Arc<Catalog> {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        Arc::clone(&self.0.borrow_and_update())
    }
}

#[cfg(test)]
mod tests {
    use keyway_domain::Timestamp;

    use super::*;
    use crate::catalog::Rate;

    #[tokio::test]
    async fn a_snapshot_outlives_the_swap_and_everybody_hears_of_it() {
        let yaml = |price: &str| {
            format!(
                "providers: [{{ name: a, display_name: A, kind: openai, base_url: \"https://a.dev\", \
                 models: [{{ name: m, price: {{ input: \"{price}\" }} }}] }}]"
            )
        };
        let input = |catalog: Arc<Catalog>| {
            let period = catalog.price("a", "m").and_then(|price| price.at(Timestamp::now()).cloned());
            period.and_then(|period| period.rates.get(Rate::Input))
        };
        let live = LiveCatalog::new(Catalog::parse(&yaml("1")).expect("a catalog"));
        let (mut changes, before) = (live.changes(), live.now());
        let other = live.clone();
        other.replace(Catalog::parse(&yaml("2")).expect("a catalog"));
        assert_ne!(before.price_version(), live.now().price_version());
        assert_eq!((input(before), input(live.now())), (Some(1_000_000_000), Some(2_000_000_000)));
        assert_eq!(input(changes.next().await), Some(2_000_000_000));
    }
}
