//! Every provider of the catalog through one list of checks against its recorded answers. The resulting table is the
//! one in `PROVIDERS.md`, so that the document never claims more than the checks prove.

mod calls;
mod reports;
mod subject;
mod verdicts;

use std::path::Path;

use anyhow::{Context, ensure};
use keyway_providers::{Catalog, KeyFamily, ProviderSpec, for_spec};

use subject::Subject;

const NONE: &str = "-";
const BEGIN: &str = "<!-- conformance -->\n";
const END: &str = "<!-- /conformance -->";
const COLUMNS: [&str; 17] = [
    "provider",
    "format",
    "valid",
    "invalid",
    "rate limited",
    "failing",
    "restricted",
    "no credit",
    "ordinary key",
    "admin key",
    "pages read",
    "empty report",
    "repeated cursor",
    "single keys",
    "key is sent in",
    "whole answer",
    "stream",
];
/// Checks of every provider.
const BY_ALL: [&str; 6] = ["format", "valid", "invalid", "rate limited", "failing", "key is sent in"];
/// Checks of every provider with a report.
const OF_REPORTS: [&str; 3] = ["admin key", "pages read", "empty report"];
/// Checks of single providers.
const BY_SOME: [(&str, &[&str]); 6] = [
    (
        "stream",
        &["openai", "anthropic", "gemini", "openrouter", "mistral", "cohere", "azure_openai", "groq", "deepseek"],
    ),
    ("restricted", &["openai", "anthropic", "xai", "gemini", "openrouter", "azure_openai", "groq", "azure"]),
    ("no credit", &["openai", "anthropic", "gemini", "openrouter", "cohere", "groq", "deepseek"]),
    ("repeated cursor", &["openai", "anthropic", "aws", "azure", "google_cloud"]),
    ("single keys", &["openai", "anthropic"]),
    ("admin key", &["openai", "anthropic", "openrouter", "aws", "xai_management", "azure", "google_cloud"]),
];

/// Reports by key are named `<report>.by_key`: the ledger subtracts their figures from that report.
#[test]
fn a_report_of_keys_is_named_after_that_of_everything() -> anyhow::Result<()> {
    let mut found = 0;
    for spec in Catalog::load(None)?.providers() {
        let ways = for_spec(spec);
        for source in ways.key_sources(KeyFamily::Admin) {
            let whole = source.strip_suffix(".by_key");
            assert!(ways.usage_sources(KeyFamily::Admin)?.iter().any(|it| Some(*it) == whole), "{source}");
            found += 1;
        }
    }
    assert_eq!(found, 3);
    Ok(())
}

#[tokio::test]
async fn every_provider_passes_the_same_list_and_the_document_shows_what_it_proved() -> anyhow::Result<()> {
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    for spec in Catalog::load(None)?.providers() {
        let subject = Subject::new(spec).with_context(|| format!("{}: record its answers", spec.name))?;
        let row = row(&subject, &mut faults).await;
        for required in required(&subject) {
            if COLUMNS.iter().zip(&row).any(|(column, cell)| *column == required && cell == NONE) {
                faults.push(format!("{}: nothing recorded proves `{required}`", spec.name));
            }
        }
        rows.push(row);
    }
    ensure!(faults.is_empty(), "{}", faults.join("\n"));

    let table = table(&rows);
    let document = document()?;
    let shown = between(&document, BEGIN, END).context("PROVIDERS.md has lost the marks of its table")?;
    ensure!(
        shown == table,
        "PROVIDERS.md does not show what was proved. Put this between its two marks, if it is meant:\n{table}"
    );
    Ok(())
}

/// Returns one line of the table; adds failed checks to `faults`.
async fn row(subject: &Subject, faults: &mut Vec<String>) -> Vec<String> {
    let mut cells = vec![subject.spec.name.clone(), verdicts::format(subject).into_cell("format", subject, faults)];
    cells.extend(verdicts::verdicts(subject, faults).await);
    cells.extend([
        reports::ordinary(subject).await.into_cell("ordinary key", subject, faults),
        reports::admin(subject).await.into_cell("admin key", subject, faults),
        reports::pages(subject).await.into_cell("pages read", subject, faults),
        reports::empty(subject).await.into_cell("empty report", subject, faults),
        reports::repeated_cursor(subject).await.into_cell("repeated cursor", subject, faults),
        reports::single_keys(subject).await.into_cell("single keys", subject, faults),
        calls::headers(subject).into_cell("key is sent in", subject, faults),
        calls::whole(subject).into_cell("whole answer", subject, faults),
        calls::streamed(subject).into_cell("stream", subject, faults),
    ]);
    cells
}

/// The result of a check, which is shown or a fault.
trait IntoCell {
    fn into_cell(self, column: &str, subject: &Subject, faults: &mut Vec<String>) -> String;
}

impl IntoCell for anyhow::Result<String> {
    fn into_cell(self, column: &str, subject: &Subject, faults: &mut Vec<String>) -> String {
        self.unwrap_or_else(|error| {
            faults.push(format!("{}: {column}: {error:#}", subject.spec.name));
            "fails".to_owned()
        })
    }
}

fn required(subject: &Subject) -> Vec<&'static str> {
    let mut required = BY_ALL.to_vec();
    if subject.spec.is_callable() {
        required.extend(["ordinary key", "whole answer"]);
    }
    if subject.admin.is_some() {
        required.extend(OF_REPORTS);
    }
    let is_named = |names: &[&str]| names.contains(&subject.spec.name.as_str());
    required.extend(BY_SOME.iter().filter(|(_, names)| is_named(names)).map(|(column, _)| column));
    required
}

fn table(rows: &[Vec<String>]) -> String {
    let rule = COLUMNS.map(|_| "---".to_owned()).to_vec();
    let head = COLUMNS.map(str::to_owned).to_vec();
    let lines = [head, rule].into_iter().chain(rows.iter().cloned());
    lines.map(|cells| format!("| {} |\n", cells.join(" | "))).collect()
}

fn document() -> std::io::Result<String> {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../PROVIDERS.md"))
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    text.split_once(begin)?.1.split_once(end).map(|(between, _)| between)
}

#[test]
fn what_is_said_of_the_catalog_is_true() -> anyhow::Result<()> {
    let catalog = Catalog::load(None)?;
    let callable = catalog.providers().iter().filter(|spec| spec.is_callable()).count();
    assert_eq!((callable, catalog.providers().len()), (10, 14));
    for name in BY_SOME.iter().flat_map(|(_, names)| *names) {
        assert!(catalog.get(name).is_some(), "{name} has to prove something, but is in no catalog");
    }
    let document = document()?;
    for spec in catalog.providers() {
        assert!(
            document.contains(&format!("\n| `{}` | ", spec.name)),
            "PROVIDERS.md does not say what {} is",
            spec.name
        );
    }
    let example = between(&document, "```yaml\n", "```").context("PROVIDERS.md has no stanza to begin with")?;
    assert!(Catalog::parse(example)?.get("acme").is_some_and(ProviderSpec::is_callable));
    Ok(())
}
