//! Anthropic's organisation reports: usage of messages by the hour, costs by the day. Costs are decimal text of cents.
//! A figure that is absent, negative or in another currency is unknown; the number of calls is never reported.

use keyway_domain::{ReportedUsage, Timestamp, TokenCounts};
use keyway_vault::ProviderSecret;
use serde::Deserialize;
use url::Url;

use super::{
    super::bucketed::{Bucket, Dialect, Page, Report},
    metering::CacheCreation,
};
use crate::{
    FetchError, UsagePage, UsageQuery,
    grade::Reading,
    guard::Answer,
    lenient::{Cents, Count, Maybe, Text},
    usage_page,
};

/// Reports, in the order they are fetched.
pub(crate) const SOURCES: &[&str] = &[MESSAGES, COSTS];
/// Reports by key.
pub(crate) const KEY_SOURCES: &[&str] = &[MESSAGES_BY_KEY];
/// Result of a fetch with an ordinary key.
pub(crate) const NEEDS_ADMIN_KEY: FetchError = FetchError::NotReportable {
    why: "Anthropic reports usage only to an organisation's admin key (sk-ant-admin01-...); calls through Keyway are \
          metered all the same",
};

const MESSAGES: &str = "usage.messages";
const MESSAGES_BY_KEY: &str = "usage.messages.by_key";
const COSTS: &str = "costs";
const LACKS_PERMISSION: FetchError =
    FetchError::NotReportable { why: "this admin key is not permitted to read the organisation's usage" };

const DIALECT: Dialect = Dialect {
    start: "starting_at",
    end: "ending_at",
    group_by: "group_by[]",
    provider_key_ids: "api_key_ids[]",
    time: |at| at.to_string(),
};

fn report(source: &str) -> Option<Report> {
    const MESSAGES_PATH: &str = "/organizations/usage_report/messages";
    match source {
        MESSAGES => Some(Report::hourly(MESSAGES_PATH, &["model"])),
        MESSAGES_BY_KEY => Some(Report::hourly(MESSAGES_PATH, &["model", "api_key_id"])),
        COSTS => Some(Report::daily("/organizations/cost_report", &["description"])),
        _ => None,
    }
}

/// Returns the URL of one page.
pub(crate) fn url(base: &Url, query: UsageQuery<'_>) -> Result<Url, FetchError> {
    let report = report(query.source).ok_or(FetchError::NotReportable { why: "Anthropic has no such report" })?;
    Ok(report.url(base, query, &DIALECT))
}

/// Reads the answer to [`url`].
pub(crate) fn read(answer: &Answer, secret: &ProviderSecret, query: UsageQuery<'_>) -> Result<UsagePage, FetchError> {
    let reading = Reading::new(answer, secret);
    let kind = reading.json_at("/error/type").and_then(|kind| kind.as_str());
    match (answer.status.as_u16(), kind) {
        (200, _) => {}
        (401, Some("authentication_error")) | (402, Some("billing_error")) => return Err(FetchError::Refused),
        (403, Some("permission_error")) => return Err(LACKS_PERMISSION),
        _ => return Err(usage_page::failure(&reading)),
    }
    let page: Page<Results> = serde_json::from_slice(&answer.body).map_err(|_| FetchError::BadAnswer)?;
    page.read(query)
}

#[derive(Deserialize)]
struct Results {
    starting_at: Timestamp,
    ending_at: Timestamp,
    results: Vec<Entry>,
}

/// Usage of one model, or one line of the bill.
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

impl Bucket for Results {
    fn span(&self) -> (Timestamp, Timestamp) {
        (self.starting_at, self.ending_at)
    }

    fn rows(self, source: &str) -> Vec<ReportedUsage> {
        let span = self.span();
        self.results.into_iter().map(|entry| entry.row(source, span)).collect()
    }
}

impl Entry {
    fn row(self, source: &str, (bucket_start, bucket_end): (Timestamp, Timestamp)) -> ReportedUsage {
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
            ..TokenCounts::default()
        }
    }
}
