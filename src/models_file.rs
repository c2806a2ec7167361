//! The only reader of the models file: at the start, and every few seconds while the process runs, so that prices
//! change without a restart. A faulty file changes nothing but a metric.

use std::{path::PathBuf, time::Duration};

use anyhow::anyhow;
use keyway_providers::{Catalog, LiveCatalog};
use keyway_telemetry::metrics;
use tokio_util::sync::CancellationToken;

/// Interval at which the file is read.
const EVERY: Duration = Duration::from_secs(2);

/// A models file and the catalog that follows it.
pub(crate) struct ModelsFile {
    path: PathBuf,
    catalog: LiveCatalog,
    /// Text of the catalog in use.
    in_use: Found,
    /// Text at the latest look.
    seen: Found,
    /// Text that was accepted or refused last.
    judged: Found,
}

/// Text of the file, or the reason why it cannot be read.
type Found = Result<String, String>;

impl ModelsFile {
    /// Reads a first catalog.
    ///
    /// # Errors
    /// The file is faulty, so there is no catalog. The sentence names file, provider and line.
    pub(crate) fn open(path: PathBuf) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(&path)
            .map_err(|error| anyhow!("KEYWAY_MODELS_FILE: {} cannot be read: {error}", path.display()))?;
        let parsed = parse(&text).map_err(|why| anyhow!("KEYWAY_MODELS_FILE: {}: {why}", path.display()))?;
        let catalog = LiveCatalog::new(parsed);
        metrics().catalog_stale.set(0);
        Ok(Self { path, catalog, in_use: Ok(text.clone()), seen: Ok(text.clone()), judged: Ok(text) })
    }

    /// Returns the catalog, which follows the file.
    pub(crate) fn catalog(&self) -> LiveCatalog {
        self.catalog.clone()
    }

    /// Follows the file until `stop` is cancelled.
    pub(crate) async fn watch(mut self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
            self.look().await;
        }
    }

    /// Takes a new text, if it is whole and valid. Only a text found twice in a row is judged: a file that is being
    /// written may be cut off at a place where it looks valid.
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
        match parsed.and_then(parse) {
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

/// Parses a catalog; an error that names a line also names the provider of that line.
fn parse(text: &str) -> Result<Catalog, String> {
    Catalog::parse(text).map_err(|error| {
        let why = error.to_string();
        match provider_at(text, &why) {
            Some(name) if !why.contains(&format!("`{name}`")) => format!("{why}, in the provider {name}"),
            _ => why,
        }
    })
}

/// Returns the provider in whose lines an error is: the last one that begins at or before the line that the error
/// names.
fn provider_at<'t>(text: &'t str, why: &str) -> Option<&'t str> {
    let (_, rest) = why.split_once(" at line ")?;
    let number: usize = rest.split(|sign: char| !sign.is_ascii_digit()).next()?.parse().ok()?;
    let items = || text.lines().take(number).filter(|line| line.trim_start().starts_with("- "));
    let indent = |line: &str| line.len() - line.trim_start().len();
    // Those of providers are the outermost.
    let outermost = items().map(indent).min()?;
    let begins = items().filter(|line| indent(line) == outermost).last()?;
    let (_, name) = begins.split_once("name:")?;
    let name = name.trim().split([',', '}', '#', ' ']).next()?.trim_matches(['"', '\'']);
    (!name.is_empty()).then_some(name)
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

    #[test]
    fn a_fault_is_named_with_its_provider_and_line() {
        let good =
            "providers:\n  - name: first\n    display_name: First\n    kind: openai\n    base_url: https://a.dev\n";
        for (bad, line) in [
            ("  - name: acme\n     display_name: Acme\n", "line 7"),
            ("  - name: acme\n    display_nmae: Acme\n    kind: openai\n    base_url: https://a.dev\n", "line 7"),
            ("  - name: acme\n    kind: openai\n    base_url: https://a.dev\n", "line 6"),
        ] {
            let why = parse(&format!("{good}{bad}")).err().unwrap();
            assert!(why.contains(line) && why.ends_with("in the provider acme"), "{why}");
        }
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
