//! Anthropic's organisation reports: usage of messages by the hour, costs by the day. Costs are
//! decimal text of cents. What is absent, negative or in another currency is unknown; how many calls
//! there were is never reported.

use std::time::Duration;

use keyway_domain::{ReportedUsage, Timestamp, TokenCounts};
use serde::Deserialize;
use url::Url;

use super::messages::CacheCreation;
use crate::{
    FetchError, UsagePage, UsageQuery,
    catalog::join,
    grade::Reading,
    guard::Answer,
    lenient::{Cents, Count, Maybe, Text},
    usage_page,
};

/// The reports, in the order they are fetched.
pub(crate) const SOURCES: &[&str] = &[MESSAGES, COSTS];
/// Those of single keys.
pub(crate) const KEY_SOURCES: &[&str] = &[MESSAGES_BY_KEY];
/// What an ordinary key gets.
pub(crate) const NEEDS_ADMIN_KEY: FetchError = FetchError::NotReportable {
    why: "Anthropic reports usage only to an organisation's admin key (sk-ant-admin01-...); calls through Keyway are \
          metered all the same",
};

const MESSAGES: &str = "usage.messages";
const MESSAGES_BY_KEY: &str = "usage.messages.by_key";
const COSTS: &str = "costs";
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
const LACKS_PERMISSION: FetchError =
    FetchError::NotReportable { why: "this admin key is not permitted to read the organisation's usage" };

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
    let messages = |group_by| Report {
        path: "/organizations/usage_report/messages",
        group_by,
        width: "1h",
        bucket: HOUR,
        buckets: "24",
    };
    match source {
        MESSAGES => Some(messages(&["model"])),
        MESSAGES_BY_KEY => Some(messages(&["model", "api_key_id"])),
        COSTS => Some(Report {
            path: "/organizations/cost_report",
            group_by: &["description"],
            width: "1d",
            bucket: DAY,
            buckets: "14",
        }),
        _ => None,
    }
}

/// The URL of one page, of these keys alone if there are any.
pub(crate) fn url(base: &Url, query: UsageQuery<'_>, provider_key_ids: &[&str]) -> Result<Url, FetchError> {
    let report = report(query.source).ok_or(FetchError::NotReportable { why: "Anthropic has no such report" })?;
    let mut url = join(base, report.path);
    let (start, end) = usage_page::whole_buckets(query.window, report.bucket);
    url.query_pairs_mut()
        .append_pair("starting_at", &start.to_string())
        .append_pair("ending_at", &end.to_string())
        .append_pair("bucket_width", report.width)
        .append_pair("limit", report.buckets)
        .extend_pairs(report.group_by.iter().map(|by| ("group_by[]", by)))
        .extend_pairs(provider_key_ids.iter().map(|id| ("api_key_ids[]", id)));
    if let Some(page) = query.page {
        url.query_pairs_mut().append_pair("page", page);
    }
    Ok(url)
}

/// Reads the answer to [`url`].
pub(crate) fn read(answer: &Answer, key: &str, query: UsageQuery<'_>) -> Result<UsagePage, FetchError> {
    let reading = Reading::new(answer, key);
    let kind = reading.json_at("/error/type").and_then(|kind| kind.as_str());
    match (answer.status.as_u16(), kind) {
        (200, _) => {}
        (401, Some("authentication_error")) | (402, Some("billing_error")) => return Err(FetchError::Refused),
        (403, Some("permission_error")) => return Err(LACKS_PERMISSION),
        _ => return Err(usage_page::failure(&reading)),
    }
    let page: Page = serde_json::from_slice(&answer.body).map_err(|_| FetchError::BadAnswer)?;
    page.read(query)
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Bucket>,
    has_more: bool,
    next_page: Option<String>,
}

#[derive(Deserialize)]
struct Bucket {
    starting_at: Timestamp,
    ending_at: Timestamp,
    results: Vec<Entry>,
}

/// What was used of one model, or one line of the bill.
#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    model: Text,
    #[serde(default)]
    uncached_input_tokens: Count,
    #[serde(default)]
    cache_read_input_tokens: Count,
    #[serde(default)]
    cache_creation: Maybe<CacheCreation>,
    #[serde(default)]
    output_tokens: Count,
    #[serde(default)]
    description: Text,
    #[serde(default)]
    api_key_id: Text,
    #[serde(default)]
    amount: Cents,
    #[serde(default)]
    currency: Text,
}

impl Page {
    fn read(self, query: UsageQuery<'_>) -> Result<UsagePage, FetchError> {
        if self.data.iter().any(|bucket| bucket.ending_at <= bucket.starting_at) {
            return Err(FetchError::BadAnswer);
        }
        let in_order = self.data.is_sorted_by_key(|bucket| bucket.starting_at);
        let complete_to = self.data.last().filter(|_| in_order).map(|last| last.ending_at);
        let next = usage_page::next(self.has_more, self.next_page, query)?;
        let rows = self.data.into_iter().flat_map(|bucket| {
            let (start, end) = (bucket.starting_at, bucket.ending_at);
            bucket.results.into_iter().map(move |entry| entry.row(query.source, start, end))
        });
        Ok(UsagePage { rows: usage_page::merged(rows), next, complete_to })
    }
}

impl Entry {
    fn row(self, source: &str, bucket_start: Timestamp, bucket_end: Timestamp) -> ReportedUsage {
        let in_dollars = self.currency.0.as_deref().is_some_and(|currency| currency.eq_ignore_ascii_case("usd"));
        ReportedUsage {
            source: source.to_owned(),
            bucket_start,
            bucket_end,
            tokens: self.tokens(),
            model: self.model.0,
            line_item: if KEY_SOURCES.contains(&source) { self.api_key_id.0 } else { self.description.0 },
            requests: None,
            cost_nano_usd: self.amount.0.filter(|_| in_dollars),
        }
    }

    fn tokens(&self) -> TokenCounts {
        let (uncached, cached_input) = (self.uncached_input_tokens.0, self.cache_read_input_tokens.0);
        let cache_write = self.cache_creation.0.and_then(CacheCreation::total);
        let all = || uncached?.checked_add(cached_input?)?.checked_add(cache_write?);
        TokenCounts {
            input: all(),
            cached_input,
            cache_write,
            cache_write_1h: self.cache_creation.0.and_then(|kinds| kinds.ephemeral_1h_input_tokens.0),
            output: self.output_tokens.0,
            reasoning: None,
        }
    }
}
