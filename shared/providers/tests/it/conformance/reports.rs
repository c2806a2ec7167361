//! Proofs by the recorded pages of reports: the kind of key that gets a report, every page read, an empty report that
//! is no failure, and a page that names itself as the next refused.

use anyhow::{Context, Result, ensure};
use keyway_domain::{KeyFamily, ReportedUsage};
use keyway_providers::{FetchError, PageTrail, UsageCall, UsagePage, UsageQuery};
use keyway_testkit::replay::{Fixture, Received};
use serde_json::Value;

use super::{
    NONE,
    calls::nano_usd,
    subject::{Key, Subject, asked},
};
use crate::world::{november, secret, target};

const KEY_ID: &str = "key_conformance";

/// A provider's report, its recorded pages and an empty one.
type Recorded = (&'static str, &'static str, &'static [&'static str], &'static str);

const COSTS: &[&str] = &["cost_page1", "cost_page2_last"];
const COMPLETIONS: &[&str] = &["usage_completions_page1", "usage_completions_page2_last"];
const MESSAGES: &[&str] = &["usage_page1", "usage_page2_last"];
const SERIES: &[&str] = &["monitoring_page1", "monitoring_page2_last"];

const RECORDED: [Recorded; 15] = [
    ("openai", "usage.completions", COMPLETIONS, "usage_completions_empty"),
    ("openai", "usage.completions.by_key", COMPLETIONS, "usage_completions_empty"),
    ("openai", "usage.embeddings", &["usage_embeddings"], "usage_completions_empty"),
    ("openai", "usage.embeddings.by_key", &["usage_embeddings"], "usage_completions_empty"),
    ("openai", "costs", &["costs_page1", "costs_page2_last"], "costs_empty"),
    ("anthropic", "usage.messages", MESSAGES, "usage_empty"),
    ("anthropic", "usage.messages.by_key", MESSAGES, "usage_empty"),
    ("anthropic", "costs", COSTS, "cost_empty"),
    ("openrouter", "activity", &["activity_ok"], "activity_empty"),
    ("aws", "costs", COSTS, "cost_empty"),
    ("xai_management", "costs", &["cost_page"], "cost_empty"),
    ("azure", "costs", COSTS, "cost_empty"),
    ("google_cloud", "vertex.input_tokens", SERIES, "monitoring_empty"),
    ("google_cloud", "vertex.output_tokens", SERIES, "monitoring_empty"),
    ("google_cloud", "vertex.requests", SERIES, "monitoring_empty"),
];
/// Answers to an ordinary key, for providers where only the answer tells its kind.
const REFUSED: [(&str, &str); 1] = [("openrouter", "credits_forbidden")];

/// Checks that an ordinary key gets the reason why there is no report, without a call if its form tells its kind.
pub(super) async fn ordinary(subject: &Subject) -> Result<String> {
    let Some(key) = &subject.ordinary else { return Ok(NONE.to_owned()) };
    let refused = REFUSED.iter().find(|(provider, _)| *provider == subject.spec.name).map(|(_, case)| *case);
    let sources = match subject.ways.usage_sources(KeyFamily::Ordinary) {
        Ok(sources) => sources,
        Err(error) => {
            ensure!(matches!(error, FetchError::NotReportable { .. }), "{error:?}");
            &["costs"]
        }
    };
    for source in sources {
        let case = subject.case(refused.unwrap_or("verify_ok"))?;
        let (page, asked) = fetched(subject, key, (source, None), case).await?;
        ensure!(matches!(page, Err(FetchError::NotReportable { .. })), "{source}: {page:?}");
        ensure!(asked.is_some() == refused.is_some(), "{source}: {asked:?}");
    }
    Ok("not reportable".to_owned())
}

/// Counts the reports of an admin key; each one is read to its end.
pub(super) async fn admin(subject: &Subject) -> Result<String> {
    Ok(match walked(subject).await?.len() {
        0 => NONE.to_owned(),
        1 => "1 report".to_owned(),
        several => format!("{several} reports"),
    })
}

/// Counts the pages read of each report.
pub(super) async fn pages(subject: &Subject) -> Result<String> {
    let walked = walked(subject).await?;
    let longest = walked.iter().max().copied().unwrap_or_default();
    Ok(match longest {
        0 => NONE.to_owned(),
        1 => "one page".to_owned(),
        _ => walked.iter().map(usize::to_string).collect::<Vec<_>>().join(", "),
    })
}

/// A report without rows is read as that.
pub(super) async fn empty(subject: &Subject) -> Result<String> {
    let Some(key) = &subject.admin else { return Ok(NONE.to_owned()) };
    for source in sources(subject)? {
        let (.., case) = recorded(subject, source)?;
        let page = fetched(subject, key, (source, None), subject.case(case)?).await?.0?;
        ensure!(page.rows.is_empty() && page.next.is_none(), "{source}: {page:?}");
    }
    Ok("read".to_owned())
}

/// A page that names itself as its next one is refused.
pub(super) async fn repeated_cursor(subject: &Subject) -> Result<String> {
    let Some(key) = &subject.admin else { return Ok(NONE.to_owned()) };
    let mut cell = NONE;
    for source in sources(subject)? {
        let (.., pages, _) = recorded(subject, source)?;
        let [first, _] = pages else { continue };
        let first = subject.case(first)?;
        let next = fetched(subject, key, (source, None), first).await?.0?.next.context("a next page")?;
        let (again, _) = fetched(subject, key, (source, Some(&next)), first).await?;
        ensure!(again == Err(FetchError::BadAnswer), "{source}: {again:?}");
        cell = "refused";
    }
    Ok(cell.to_owned())
}

/// Single keys are asked for by their ids, and each row names its key.
pub(super) async fn single_keys(subject: &Subject) -> Result<String> {
    ensure!(subject.ways.key_sources(KeyFamily::Ordinary).is_empty(), "an ordinary key reports single keys");
    let sources = subject.ways.key_sources(KeyFamily::Admin);
    let Some(key) = subject.admin.as_ref().filter(|_| !sources.is_empty()) else { return Ok(NONE.to_owned()) };
    for source in sources {
        let mut case = subject.case(recorded(subject, source)?.2.first().context("a page")?)?.clone();
        let named = format!("\"api_key_id\":\"{KEY_ID}\"");
        case.body = String::from_utf8(case.body)?.replace("\"api_key_id\":null", &named).into_bytes();
        let (server, base, http) = subject.host(&case).await?;
        let query = UsageQuery { source, window: november(0, 72), page: None, provider_key_ids: &[KEY_ID] };
        let page = subject
            .ways
            .usage_page(UsageCall { target: target(&base, &secret(&key.text)), query, http: &http })
            .await?;
        ensure!(page.rows.iter().any(|row| row.line_item.as_deref() == Some(KEY_ID)), "{source}: {page:?}");
        ensure!(asked(&server).is_some_and(|asked| asked.line.contains(KEY_ID)), "{source}: its id is not asked for");
    }
    Ok(format!("{} report{}", sources.len(), if sources.len() == 1 { "" } else { "s" }))
}

/// Returns the number of pages of each report of an admin key, once all are read.
async fn walked(subject: &Subject) -> Result<Vec<usize>> {
    let Some(key) = &subject.admin else { return Ok(Vec::new()) };
    let mut walked = Vec::new();
    for source in sources(subject)? {
        let (_, _, cases, _) = recorded(subject, source)?;
        let (mut trail, mut next, mut rows) = (PageTrail::default(), None, 0);
        for (at, case) in cases.iter().enumerate() {
            let case = subject.case(case)?;
            let (page, _) = fetched(subject, key, (source, next.as_deref()), case).await?;
            let page = page.with_context(|| format!("{source}: {}", case.name))?;
            ensure!(page.next.is_some() == (at + 1 < cases.len()), "{source}: {}: {:?}", case.name, page.next);
            has_figures(case, &page.rows).with_context(|| format!("{source}: {}", case.name))?;
            rows += page.rows.len();
            next = trail.follow(page.next)?;
        }
        ensure!(rows > 0, "{source}: no rows");
        walked.push(cases.len());
    }
    Ok(walked)
}

fn sources(subject: &Subject) -> Result<&'static [&'static str]> {
    let key = subject.admin.as_ref().context("no admin key")?;
    Ok(subject.ways.usage_sources(subject.ways.check_format(&secret(&key.text))?.family)?)
}

fn recorded(subject: &Subject, source: &str) -> Result<Recorded> {
    let of = |(provider, name, ..): &&Recorded| *provider == subject.spec.name && *name == source;
    RECORDED.iter().find(of).copied().with_context(|| format!("no page of {source} is recorded"))
}

async fn fetched(
    subject: &Subject,
    key: &Key,
    (source, page): (&str, Option<&str>),
    case: &Fixture,
) -> Result<(Result<UsagePage, FetchError>, Option<Received>)> {
    let (server, base, http) = subject.host(case).await?;
    let query = UsageQuery { source, window: november(0, 72), page, provider_key_ids: &[] };
    let page =
        subject.ways.usage_page(UsageCall { target: target(&base, &secret(&key.text)), query, http: &http }).await;
    ensure!(!key.shows_in(&format!("{page:?}")), "{source}: the page shows the key");
    Ok((page, asked(&server)))
}

/// The rows have the sums that the fixture states.
fn has_figures(case: &Fixture, rows: &[ReportedUsage]) -> Result<()> {
    if let Some(total) = case.expect["total_usd"].as_str().and_then(nano_usd) {
        let sum: i64 = rows.iter().map(|row| row.cost_nano_usd).sum::<Option<_>>().context("an unknown cost")?;
        // Each row is rounded to a nano-USD.
        ensure!(sum.abs_diff(total) <= rows.len() as u64, "{sum} instead of {total}");
    }
    let stated = case.expect["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
    let total = |names: &[&str]| -> i64 {
        stated.iter().flat_map(|row| names.iter().filter_map(|name| row.get(*name).and_then(Value::as_i64))).sum()
    };
    if !stated.is_empty() {
        let input: Option<i64> = rows.iter().map(|row| row.tokens.input).sum();
        let output: Option<i64> = rows.iter().map(|row| row.tokens.output).sum();
        ensure!(input == Some(total(&["input_uncached", "input_cached", "cache_write"])), "input {input:?}");
        ensure!(output == Some(total(&["output"])), "output {output:?}");
    }
    Ok(())
}
