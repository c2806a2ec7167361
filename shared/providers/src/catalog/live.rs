//! The catalog in use. A new one takes the place of the old one as a whole: who works with a snapshot keeps it to
//! the end, so that nothing is judged or priced half by one and half by the other.

use std::{path::Path, sync::Arc};

use tokio::sync::watch;

use super::{Catalog, CatalogError};

/// The catalog in use, shared by everybody who asks for it.
#[derive(Clone, Debug)]
pub struct LiveCatalog(Arc<watch::Sender<Arc<Catalog>>>);

/// Tells when another catalog has come into use.
pub struct CatalogChanges(watch::Receiver<Arc<Catalog>>);

impl LiveCatalog {
    /// Puts a first catalog into use.
    #[must_use]
    pub fn new(catalog: Catalog) -> Self {
        Self(Arc::new(watch::Sender::new(Arc::new(catalog))))
    }

    /// As [`Catalog::load`].
    ///
    /// # Errors
    /// See [`CatalogError`].
    pub fn load(file: Option<&Path>) -> Result<Self, CatalogError> {
        Catalog::load(file).map(Self::new)
    }

    /// The catalog as it is now. Ask once for each request or job, and keep what you get until it is done.
    #[must_use]
    pub fn now(&self) -> Arc<Catalog> {
        Arc::clone(&self.0.borrow())
    }

    /// Puts another catalog into use.
    pub fn replace(&self, catalog: Catalog) {
        self.0.send_replace(Arc::new(catalog));
    }

    /// What comes into use from now on.
    #[must_use]
    pub fn changes(&self) -> CatalogChanges {
        CatalogChanges(self.0.subscribe())
    }
}

impl CatalogChanges {
    /// Waits until another catalog is in use, and gives it out. Never ends when none can come any more.
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
