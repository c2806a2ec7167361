//! OpenAI's organisation reports: usage of completions and embeddings by the hour, costs by the
//! day. Every figure is read from the answer's own digits; what is absent, negative or in another
//! currency is unknown.

use std::time::Duration;

use keyway_domain::{ReportedUsage, Timestamp, TokenCounts};
use serde::Deserialize;
use url::Url;

use crate::{
    FetchError, UsagePage, UsageQuery,
    catalog::join,
    grade::Reading,
    guard::Answer,
    lenient::{Count, Dollars, Text},
    usage_page,
};

/// The reports, in the order they are fetched.
pub(crate) const SOURCES: &[&str] = &[COMPLETIONS, EMBEDDINGS, COSTS];
/// Those of single keys.
pub(crate) const KEY_SOURCES: &[&str] = &[COMPLETIONS_BY_KEY, EMBEDDINGS_BY_KEY];
/// What an ordinary key gets.
pub(crate) const NEEDS_ADMIN_KEY: FetchError =
    FetchError::NotReportable { why: "OpenAI reports usage only to an organisation's admin key (sk-admin-...)" };
/// The bucket of costs.
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

const COMPLETIONS: &str = "usage.completions";
const EMBEDDINGS: &str = "usage.embeddings";
const COMPLETIONS_BY_KEY: &str = "usage.completions.by_key";
const EMBEDDINGS_BY_KEY: &str = "usage.embeddings.by_key";
const COSTS: &str = "costs";
const HOUR: Duration = Duration::from_secs(3600);
const LACKS_SCOPE: FetchError =
    FetchError::NotReportable { why: "this admin key lacks the permission to read usage (api.usage.read)" };

/// How one report is asked for. Buckets a page are few enough that a page of an organisation with
/// many models stays well below the size that is read.
struct Report {
    path: &'static str,
    group_by: &'static [&'static str],
    width: &'static str,
    bucket: Duration,
    buckets: &'static str,
}

fn report(source: &str) -> Option<Report> {
    const COMPLETIONS_PATH: &str = "/organization/usage/completions";
    const EMBEDDINGS_PATH: &str = "/organization/usage/embeddings";
    let usage = |path, group_by| Report { path, group_by, width: "1h", bucket: HOUR, buckets: "24" };
    let costs =
        Report { path: "/organization/costs", group_by: &["line_item"], width: "1d", bucket: DAY, buckets: "14" };
    match source {
        COMPLETIONS => Some(usage(COMPLETIONS_PATH, &["model"])),
        EMBEDDINGS => Some(usage(EMBEDDINGS_PATH, &["model"])),
        COMPLETIONS_BY_KEY => Some(usage(COMPLETIONS_PATH, &["model", "api_key_id"])),
        EMBEDDINGS_BY_KEY => Some(usage(EMBEDDINGS_PATH, &["model", "api_key_id"])),
        COSTS => Some(costs),
        _ => None,
    }
}

/// The URL of one page, of these keys alone if there are any.
pub(crate) fn url(base: &Url, query: UsageQuery<'_>, provider_key_ids: &[&str]) -> Result<Url, FetchError> {
    let report = report(query.source).ok_or(FetchError::NotReportable { why: "OpenAI has no such report" })?;
    let mut url = join(base, report.path);
    let (start, end) = usage_page::whole_buckets(query.window, report.bucket);
    url.query_pairs_mut()
        .append_pair("start_time", &start.seconds().to_string())
        .append_pair("end_time", &end.seconds().to_string())
        .append_pair("bucket_width", report.width)
        .append_pair("limit", report.buckets)
        .extend_pairs(report.group_by.iter().map(|by| ("group_by", by)))
        .extend_pairs(provider_key_ids.iter().map(|id| ("api_key_ids", id)));
    if let Some(page) = query.page {
        url.query_pairs_mut().append_pair("page", page);
    }
    Ok(url)
}

/// Reads the answer to [`url`].
pub(crate) fn read(answer: &Answer, key: &str, query: UsageQuery<'_>) -> Result<UsagePage, FetchError> {
    let reading = Reading::new(answer, key);
    match answer.status.as_u16() {
        200 => {}
        401 | 403 if says(&reading, "Missing scopes") => return Err(LACKS_SCOPE),
        401 | 403 if says(&reading, "session key") => return Err(NEEDS_ADMIN_KEY),
        401 | 403 if reading.json_at("/error").is_some() => return Err(FetchError::Refused),
        _ => return Err(usage_page::failure(&reading)),
    }
    let page: Page = serde_json::from_slice(&answer.body).map_err(|_| FetchError::BadAnswer)?;
    page.read(query)
}

fn says(reading: &Reading<'_>, part: &str) -> bool {
    reading.json_at("/error/message").and_then(|message| message.as_str()).is_some_and(|text| text.contains(part))
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Bucket>,
    has_more: bool,
    next_page: Option<String>,
}

#[derive(Deserialize)]
struct Bucket {
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

impl Page {
    fn read(self, query: UsageQuery<'_>) -> Result<UsagePage, FetchError> {
        let mut rows = Vec::new();
        let in_order = self.data.is_sorted_by_key(|bucket| bucket.start_time);
        let complete_to = self.data.last().filter(|_| in_order).map(|last| Timestamp::from_seconds(last.end_time));
        for bucket in self.data {
            let (start, end) = (Timestamp::from_seconds(bucket.start_time), Timestamp::from_seconds(bucket.end_time));
            if bucket.start_time < 0 || end <= start {
                return Err(FetchError::BadAnswer);
            }
            rows.extend(bucket.results.into_iter().map(|entry| entry.row(query.source, start, end)));
        }
        let next = usage_page::next(self.has_more, self.next_page, query)?;
        Ok(UsagePage { rows: usage_page::merged(rows), next, complete_to })
    }
}

impl Entry {
    fn row(self, source: &str, bucket_start: Timestamp, bucket_end: Timestamp) -> ReportedUsage {
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
                reasoning: None,
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
