//! OpenAI's organisation reports: usage of completions and embeddings by the hour, costs by the day. Every figure is
//! read from the answer's own digits; one that is absent, negative or in another currency is unknown.

use std::time::Duration;

use keyway_domain::{ReportedUsage, Timestamp, TokenCounts};
use keyway_vault::ProviderSecret;
use serde::Deserialize;
use url::Url;

use super::super::bucketed::{Bucket, Dialect, Page, Report};
use crate::{
    FetchError, UsagePage, UsageQuery,
    grade::Reading,
    guard::Answer,
    lenient::{Count, Dollars, Text},
    usage_page,
};

/// Reports, in the order they are fetched.
pub(crate) const SOURCES: &[&str] = &[COMPLETIONS, EMBEDDINGS, COSTS];
/// Reports by key.
pub(crate) const KEY_SOURCES: &[&str] = &[COMPLETIONS_BY_KEY, EMBEDDINGS_BY_KEY];
/// Result of a fetch with an ordinary key.
pub(crate) const NEEDS_ADMIN_KEY: FetchError =
    FetchError::NotReportable { why: "OpenAI reports usage only to an organisation's admin key (sk-admin-...)" };
/// Width of a cost bucket.
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

const COMPLETIONS: &str = "usage.completions";
const EMBEDDINGS: &str = "usage.embeddings";
const COMPLETIONS_BY_KEY: &str = "usage.completions.by_key";
const EMBEDDINGS_BY_KEY: &str = "usage.embeddings.by_key";
const COSTS: &str = "costs";
const LACKS_SCOPE: FetchError =
    FetchError::NotReportable { why: "this admin key lacks the permission to read usage (api.usage.read)" };

const DIALECT: Dialect = Dialect {
    start: "start_time",
    end: "end_time",
    group_by: "group_by",
    provider_key_ids: "api_key_ids",
    time: |at| at.seconds().to_string(),
};

fn report(source: &str) -> Option<Report> {
    const COMPLETIONS_PATH: &str = "/organization/usage/completions";
    const EMBEDDINGS_PATH: &str = "/organization/usage/embeddings";
    match source {
        COMPLETIONS => Some(Report::hourly(COMPLETIONS_PATH, &["model"])),
        EMBEDDINGS => Some(Report::hourly(EMBEDDINGS_PATH, &["model"])),
        COMPLETIONS_BY_KEY => Some(Report::hourly(COMPLETIONS_PATH, &["model", "api_key_id"])),
        EMBEDDINGS_BY_KEY => Some(Report::hourly(EMBEDDINGS_PATH, &["model", "api_key_id"])),
        COSTS => Some(Report::daily("/organization/costs", &["line_item"])),
        _ => None,
    }
}

/// Returns the URL of one page.
pub(crate) fn url(base: &Url, query: UsageQuery<'_>) -> Result<Url, FetchError> {
    let report = report(query.source).ok_or(FetchError::NotReportable { why: "OpenAI has no such report" })?;
    Ok(report.url(base, query, &DIALECT))
}

/// Reads the answer to [`url`].
pub(crate) fn read(answer: &Answer, secret: &ProviderSecret, query: UsageQuery<'_>) -> Result<UsagePage, FetchError> {
    let reading = Reading::new(answer, secret);
    match answer.status.as_u16() {
        200 => {}
        401 | 403 if says(&reading, "Missing scopes") => return Err(LACKS_SCOPE),
        401 | 403 if says(&reading, "session key") => return Err(NEEDS_ADMIN_KEY),
        401 | 403 if reading.json_at("/error").is_some() => return Err(FetchError::Refused),
        _ => return Err(usage_page::failure(&reading)),
    }
    let page: Page<Results> = serde_json::from_slice(&answer.body).map_err(|_| FetchError::BadAnswer)?;
    page.read(query)
}

fn says(reading: &Reading<'_>, part: &str) -> bool {
    reading.json_at("/error/message").and_then(|message| message.as_str()).is_some_and(|text| text.contains(part))
}

#[derive(Deserialize)]
struct Results {
    start_time: i64,
    end_time: i64,
    results: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    model: Text,
    #[serde(default)]
    line_item: Text,
    #[serde(default)]
    api_key_id: Text,
    #[serde(default)]
    num_model_requests: Count,
    #[serde(default)]
    input_tokens: Count,
    #[serde(default)]
    input_cached_tokens: Count,
    #[serde(default)]
    input_cache_write_tokens: Count,
    #[serde(default)]
    output_tokens: Count,
    amount: Option<Amount>,
}

#[derive(Deserialize)]
struct Amount {
    #[serde(default)]
    value: Dollars,
    currency: Option<String>,
}

impl Bucket for Results {
    fn span(&self) -> (Timestamp, Timestamp) {
        (Timestamp::from_seconds(self.start_time), Timestamp::from_seconds(self.end_time))
    }

    fn rows(self, source: &str) -> Vec<ReportedUsage> {
        let span = self.span();
        self.results.into_iter().map(|entry| entry.row(source, span)).collect()
    }
}

impl Entry {
    fn row(self, source: &str, (bucket_start, bucket_end): (Timestamp, Timestamp)) -> ReportedUsage {
        ReportedUsage {
            source: source.to_owned(),
            bucket_start,
            bucket_end,
            model: self.model.0,
            line_item: if KEY_SOURCES.contains(&source) { self.api_key_id.0 } else { self.line_item.0 },
            requests: self.num_model_requests.0,
            tokens: TokenCounts {
                input: self.input_tokens.0,
                cached_input: self.input_cached_tokens.0,
                cache_write: self.input_cache_write_tokens.0,
                cache_write_1h: None,
                output: self.output_tokens.0,
                ..TokenCounts::default()
            },
            cost_nano_usd: self.amount.and_then(|amount| amount.nano_usd()),
        }
    }
}

impl Amount {
    fn nano_usd(&self) -> Option<i64> {
        self.value.0.filter(|_| self.currency.as_deref().is_some_and(|currency| currency.eq_ignore_ascii_case("usd")))
    }
}

#[cfg(test)]
mod tests;
