//! The rules of the house: the crate graph, file sizes and heads, names, and the place of each job's handler.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

/// Keyway's own crates that each crate uses: these, and no others.
const GRAPH: &[(&str, &[&str])] = &[
    ("shared/domain", &[]),
    ("shared/audit", &["domain", "vault"]),
    ("shared/vault", &["domain"]),
    ("shared/store", &["audit", "domain", "vault"]),
    ("shared/bus", &["domain"]),
    ("shared/providers", &["domain", "vault"]),
    ("shared/config", &["vault"]),
    ("shared/content", &[]),
    ("shared/telemetry", &[]),
    ("shared/http", &["telemetry"]),
    ("shared/testkit", &[]),
    ("migrations", &["vault"]),
    ("api", &["audit", "content", "domain", "http", "providers", "store", "telemetry", "vault"]),
    ("proxy", &["bus", "domain", "http", "providers", "store", "telemetry", "vault"]),
    ("workers", &["audit", "bus", "content", "domain", "providers", "store", "telemetry", "vault"]),
    (
        ".",
        &[
            "api",
            "audit",
            "bus",
            "config",
            "domain",
            "http",
            "migrations",
            "providers",
            "proxy",
            "store",
            "telemetry",
            "vault",
            "workers",
        ],
    ),
];

/// Documents that name files by their paths.
const NAMING: [&str; 7] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/proxy.md",
    "docs/walkthrough.md",
    "docs/choices.md",
];
/// Documents beside those in `docs/`.
const ROOT_DOCUMENTS: [&str; 7] =
    ["README.md", "ARCHITECTURE.md", "BENCHMARKS.md", "CHANGELOG.md", "CONTRIBUTING.md", "PROVIDERS.md", "SECURITY.md"];
const MOST_LINES: usize = 400;
/// Words by which a clause begins where a verb or a noun should stand.
const CLAUSES: [&str; 8] = ["What", "Whether", "How", "Which", "Who", "Whose", "That", "Those"];
const MOST_CLAUSES_PERCENT: usize = 3;
/// Most places at which a provider's secret is exposed.
const MOST_EXPOSED: usize = 12;
const VAGUE: &[&str] = &["utils", "util", "common", "helpers", "helper", "manager", "misc", "types"];

#[test]
fn crates_use_each_other_as_the_graph_says() -> Result<()> {
    let members = fs::read_to_string(root().join("Cargo.toml"))?;
    let members = members.split("members = [").nth(1).and_then(|rest| rest.split(']').next()).context("no members")?;
    let members: BTreeSet<_> = members.split('"').skip(1).step_by(2).chain(["."]).collect();
    ensure!(members == GRAPH.iter().map(|(folder, _)| *folder).collect(), "every member is in the graph: {members:?}");
    for (folder, expected) in GRAPH {
        let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml"))?;
        let own = manifest.split("\n[dependencies]").nth(1).and_then(|rest| rest.split("\n[").next());
        let own = own.with_context(|| format!("{folder}/Cargo.toml has no dependencies"))?;
        let own = own.lines().filter_map(|line| line.strip_prefix("keyway-"));
        let used: BTreeSet<_> = own.map(|line| line.split(['.', ' ', '=']).next().unwrap_or_default()).collect();
        ensure!(used == expected.iter().copied().collect(), "{folder} uses {used:?}, and the graph says {expected:?}");
    }
    Ok(())
}

#[test]
fn every_file_says_what_it_is_and_stays_short() -> Result<()> {
    let files = rust_files()?;
    ensure!(files.len() > 100, "the search finds the files: {}", files.len());
    for (path, text) in files {
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        ensure!(text.starts_with("//!"), "{} does not open by saying what it is", path.display());
        ensure!(text.lines().count() <= MOST_LINES, "{} has more than {MOST_LINES} lines", path.display());
        ensure!(!VAGUE.contains(&name), "{} has a name that says nothing", path.display());
    }
    Ok(())
}

#[test]
fn comments_begin_with_a_verb_or_a_noun() -> Result<()> {
    let (mut comments, mut clauses) = (0, Vec::new());
    for (path, text) in rust_files()? {
        let mut before = "";
        for (number, line) in text.lines().enumerate() {
            let comment = |line: &str| line.trim_start().starts_with("//!") || line.trim_start().starts_with("///");
            if comment(line) && !comment(before) {
                comments += 1;
                let word = line.trim_start().get(3..).unwrap_or_default().split_whitespace().next();
                if word.is_some_and(|word| CLAUSES.contains(&word)) {
                    clauses.push(format!("{}:{}", path.display(), number + 1));
                }
            }
            before = line;
        }
    }
    ensure!(comments > 4000, "the search finds the comments: {comments}");
    let most = comments * MOST_CLAUSES_PERCENT / 100;
    ensure!(clauses.len() <= most, "{} of {comments} comments begin with a clause: {clauses:#?}", clauses.len());
    Ok(())
}

#[test]
fn a_provider_s_secret_is_exposed_in_few_places_each_with_its_reason() -> Result<()> {
    let mut places = Vec::new();
    for (path, text) in rust_files()? {
        let is_test = path.iter().any(|part| part == "tests" || part == "benches");
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let mut before = "";
        for (number, line) in code.lines().enumerate().filter(|_| !is_test) {
            if line.contains(".expose()") {
                let place = format!("{}:{}", path.display(), number + 1);
                ensure!(before.trim_start().starts_with("// "), "{place} exposes a secret and does not say why");
                places.push(place);
            }
            before = line;
        }
    }
    ensure!((6..=MOST_EXPOSED).contains(&places.len()), "{} places expose a secret: {places:#?}", places.len());
    Ok(())
}

#[test]
fn every_command_is_handled_in_a_file_of_its_name() -> Result<()> {
    let commands = fs::read_to_string(root().join("shared/domain/src/command.rs"))?;
    let names = commands.split("fn name(").nth(1).and_then(|rest| rest.split("fn ").next()).context("Command::name")?;
    let names: BTreeSet<_> = names.split('"').skip(1).step_by(2).collect();
    ensure!(names.contains("verify_key"), "the kinds are found: {names:?}");
    for name in names {
        ensure!(root().join(format!("workers/src/jobs/{name}.rs")).exists(), "no file handles {name}");
    }
    Ok(())
}

#[test]
fn dashboards_and_alerts_name_only_metrics_that_exist() -> Result<()> {
    let list = fs::read_to_string(root().join("shared/telemetry/src/metrics.rs"))?;
    let known: BTreeSet<&str> = list.split('"').filter(|text| text.starts_with("keyway_")).collect();
    let files = ["grafana/dashboards/overview.json", "grafana/alerts.yml"];
    let mut used = BTreeMap::new();
    for file in files {
        let text = fs::read_to_string(root().join(file))?;
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        used.extend(words.filter(|word| word.starts_with("keyway_")).map(|word| (word.to_owned(), file)));
    }
    ensure!(used.len() > 30, "the search finds the metrics: {}", used.len());
    for (name, file) in used {
        let base = ["_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
        ensure!(known.contains(base) || known.contains(name.as_str()), "{file} names {name}, which no code exports");
    }
    Ok(())
}

#[test]
fn every_file_the_documents_name_exists() -> Result<()> {
    let mut named = 0;
    for document in NAMING {
        let text = fs::read_to_string(root().join(document))?;
        // A path from the root, in backticks; `<placeholders>`, globs and bare file names are not paths.
        let paths = text
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|name| name.contains('/') && name.ends_with(".rs") && !name.contains(['<', '*', ' ']));
        for path in paths {
            named += 1;
            ensure!(root().join(path).exists(), "{document} names {path}, which does not exist");
        }
    }
    ensure!(named > 20, "the search finds the names: {named}");
    Ok(())
}

#[test]
fn every_link_of_the_documents_leads_somewhere() -> Result<()> {
    let mut documents: Vec<_> = ROOT_DOCUMENTS.map(PathBuf::from).into();
    for entry in fs::read_dir(root().join("docs"))? {
        documents.push(Path::new("docs").join(entry?.file_name()));
    }
    let mut links = 0;
    for document in documents.iter().filter(|path| path.extension().is_some_and(|extension| extension == "md")) {
        let text = fs::read_to_string(root().join(document))?;
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
        for target in targets.filter(|target| !target.contains("://")) {
            links += 1;
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let folder = document.parent().unwrap_or(Path::new(""));
            let file = if file.is_empty() { document.clone() } else { folder.join(file) };
            let linked = root().join(&file);
            ensure!(linked.exists(), "{}: {target} does not exist", document.display());
            ensure!(
                anchor.is_empty()
                    || fs::read_to_string(&linked)?.lines().any(|line| anchor_of(line) == Some(anchor.to_owned())),
                "{}: {target} has no such heading",
                document.display()
            );
        }
    }
    ensure!(links > 30, "the search finds the links: {links}");
    Ok(())
}

/// Returns the anchor of a heading in links.
fn anchor_of(line: &str) -> Option<String> {
    let heading = line.strip_prefix('#')?.trim_start_matches('#').trim().to_lowercase();
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    Some(kept.map(|c| if c == ' ' { '-' } else { c }).collect())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn rust_files() -> Result<Vec<(PathBuf, String)>> {
    let mut folders: Vec<_> =
        ["api", "proxy", "workers", "shared", "migrations", "src", "tests"].map(|name| root().join(name)).into();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path)?;
                files.push((path, text));
            }
        }
    }
    Ok(files)
}
