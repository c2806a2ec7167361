//! The one place that looks at the models file: at the start, and every few seconds while the process runs, so that
//! prices change without a restart. A file that is faulty changes nothing but a metric.

use std::{path::PathBuf, time::Duration};

use keyway_providers::{Catalog, CatalogError, LiveCatalog};
use keyway_telemetry::metrics;
use tokio_util::sync::CancellationToken;

/// How often the file is looked at.
const EVERY: Duration = Duration::from_secs(2);

/// A models file and the catalog that follows it.
pub(crate) struct ModelsFile {
    path: PathBuf,
    catalog: LiveCatalog,
    /// The text the catalog in use was read from.
    in_use: Found,
    /// What was there at the last look.
    seen: Found,
    /// What was taken or refused last.
    judged: Found,
}

/// A text, or why there is none.
type Found = Result<String, String>;

impl ModelsFile {
    /// Reads a first catalog.
    ///
    /// # Errors
    /// Nothing of a faulty file is used, so there is no catalog.
    pub(crate) fn open(path: PathBuf) -> Result<Self, CatalogError> {
        let text =
            std::fs::read_to_string(&path).map_err(|source| CatalogError::Read { path: path.clone(), source })?;
        let catalog = LiveCatalog::new(Catalog::parse(&text)?);
        metrics().catalog_stale.set(0);
        Ok(Self { path, catalog, in_use: Ok(text.clone()), seen: Ok(text.clone()), judged: Ok(text) })
    }

    /// The catalog that follows the file.
    pub(crate) fn catalog(&self) -> LiveCatalog {
        self.catalog.clone()
    }

    /// Keeps the catalog as the file is, until `stop`.
    pub(crate) async fn watch(mut self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
            self.look().await;
        }
    }

    /// Takes what is new, if it is whole and valid. Only what was there twice in a row is judged: a file that is
    /// being written may be cut off at a place where it looks valid.
    async fn look(&mut self) {
        let found = tokio::fs::read_to_string(&self.path).await.map_err(|error| error.to_string());
        let is_settled = found == self.seen;
        self.seen = found;
        if self.seen == self.in_use {
            self.judged = self.seen.clone();
            metrics().catalog_stale.set(0);
        } else if is_settled && self.seen != self.judged {
            self.judged = self.seen.clone();
            self.judge();
        }
    }

    fn judge(&mut self) {
        let parsed = self.seen.as_deref().map_err(Clone::clone);
        match parsed.and_then(|text| Catalog::parse(text).map_err(|error| error.to_string())) {
            Ok(catalog) => {
                tracing::info!(prices = catalog.price_version(), "the models file has changed and is in use");
                self.catalog.replace(catalog);
                self.in_use = self.seen.clone();
                metrics().catalog_stale.set(0);
            }
            Err(why) => {
                let file = self.path.display();
                tracing::error!(%file, why, "the models file is not usable; what it said before stays in use");
                metrics().catalog_stale.set(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use keyway_domain::{PriceTerms, Timestamp, TokenCounts};

    use super::*;

    fn yaml(input: &str) -> String {
        format!(
            "providers: [{{ name: a, display_name: A, kind: openai, base_url: \"https://a.dev\", \
             models: [{{ name: m, price: {{ input: \"{input}\", output: \"0\" }} }}] }}]\n"
        )
    }

    fn cost(file: &ModelsFile) -> Option<i64> {
        let tokens = TokenCounts { input: Some(1_000_000), ..TokenCounts::default() };
        file.catalog().now().cost("a", "m", &tokens, &PriceTerms::default(), Timestamp::now())
    }

    #[tokio::test]
    async fn a_valid_file_is_taken_whole_and_an_invalid_one_not_at_all() -> anyhow::Result<()> {
        let path = std::env::temp_dir().join(format!("keyway-models-{}.yaml", std::process::id()));
        std::fs::write(&path, yaml("1"))?;
        let mut file = ModelsFile::open(path.clone())?;
        let stale = || metrics().catalog_stale.get();
        let second = 1_000_000_000;
        for (text, cost_at_once, cost_then, stale_then) in [
            (yaml("2"), second, 2 * second, 0),
            // Cut off, unpriced by a slip, empty: the last good one stays.
            (yaml("3")[..90].to_owned(), 2 * second, 2 * second, 1),
            (yaml("30000"), 2 * second, 2 * second, 1),
            (String::new(), 2 * second, 2 * second, 1),
            ("providers: []".to_owned(), 2 * second, 2 * second, 1),
            // What is in use is there again.
            (yaml("2"), 2 * second, 2 * second, 0),
            (yaml("4"), 2 * second, 4 * second, 0),
        ] {
            std::fs::write(&path, &text)?;
            file.look().await;
            assert_eq!(cost(&file), Some(cost_at_once), "{text}");
            file.look().await;
            file.look().await;
            assert_eq!((cost(&file), stale()), (Some(cost_then), stale_then), "{text}");
        }
        std::fs::remove_file(&path)?;
        file.look().await;
        file.look().await;
        assert_eq!((cost(&file), stale()), (Some(4 * second), 1), "a file that is gone is no empty one");
        Ok(())
    }
}
