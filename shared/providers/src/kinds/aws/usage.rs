//! AWS Cost Explorer: the cost of each service by the day. AWS charges 0.01 US dollars for every page, so it is called
//! rarely and for costs only; the latest days are restated for a while. An amount that is not in US dollars, or
//! negative (a credit), is unknown.

use std::time::Duration;

use keyway_domain::{ReportedUsage, Timestamp, TokenCounts};
use serde::Deserialize;
use serde_json::json;

use super::{AccessKey, Call, Refusal};
use crate::{
    FetchError, UsagePage, UsageQuery,
    grade::Reading,
    guard::Answer,
    lenient::{Dollars, Text},
    usage_page,
};

/// Reports.
pub(crate) const SOURCES: &[&str] = &[COSTS];
/// Interval of fetches: figures are renewed up to three times a day, and each fetch costs money.
pub(crate) const INTERVAL: Duration = Duration::from_secs(12 * 3600);
/// Name of Cost Explorer in hosts and signatures.
pub(crate) const SERVICE: &str = "ce";

const COSTS: &str = "costs";
const DAY: Duration = Duration::from_secs(86_400);
const DENIED: FetchError = FetchError::NotReportable {
    why: "this key may not read the account's costs; grant its user the action ce:GetCostAndUsage",
};
const NOT_ENABLED: FetchError = FetchError::NotReportable {
    why: "Cost Explorer is not enabled for this account; open it once in the Billing console, and give IAM users \
          access to billing",
};

/// Builds the call for one page.
pub(crate) fn call(query: UsageQuery<'_>) -> Result<Call, FetchError> {
    if query.source != COSTS {
        return Err(FetchError::NotReportable { why: "AWS has no such report" });
    }
    let (start, end) = usage_page::whole_buckets(query.window, DAY);
    let mut question = json!({
        "TimePeriod": { "Start": start.day(), "End": end.day() },
        "Granularity": "DAILY",
        "Metrics": ["UnblendedCost"],
        "GroupBy": [{ "Type": "DIMENSION", "Key": "SERVICE" }],
    });
    if let (Some(page), Some(fields)) = (query.page, question.as_object_mut()) {
        fields.insert("NextPageToken".to_owned(), page.into());
    }
    Ok(Call {
        service: SERVICE,
        content_type: "application/x-amz-json-1.1",
        operation: Some("AWSInsightsIndexService.GetCostAndUsage"),
        body: question.to_string().into(),
    })
}

/// Reads the answer to [`call`].
pub(crate) fn read(answer: &Answer, key: &AccessKey, query: UsageQuery<'_>) -> Result<UsagePage, FetchError> {
    let reading = Reading::new(answer, key.secret());
    if !answer.status.is_success() {
        return Err(failure(answer, &reading));
    }
    let report: Report = serde_json::from_slice(&answer.body).map_err(|_| FetchError::BadAnswer)?;
    report.read(query)
}

fn failure(answer: &Answer, reading: &Reading<'_>) -> FetchError {
    let said = super::refusal(answer, reading).filter(|_| answer.status.is_client_error());
    match said.map(|(_, refusal)| refusal) {
        Some(Refusal::Denied) if says_not_enabled(&answer.body) => NOT_ENABLED,
        Some(Refusal::Denied) => DENIED,
        Some(Refusal::Throttled) => FetchError::RateLimited { retry_after: reading.retry_after() },
        // The next verification tells its owner which of these it is.
        Some(Refusal::UnknownKey | Refusal::WrongSecret | Refusal::SessionOver | Refusal::Clock) => FetchError::Refused,
        None => usage_page::failure(reading),
    }
}

fn says_not_enabled(body: &[u8]) -> bool {
    memchr::memmem::find(body, b"not enabled for cost explorer").is_some()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Report {
    results_by_time: Vec<Bucket>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Bucket {
    time_period: Period,
    groups: Vec<Group>,
}

/// Days: `2026-11-01`; the end is exclusive.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Period {
    start: String,
    end: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Group {
    keys: Vec<Text>,
    #[serde(default)]
    metrics: Metrics,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metrics {
    unblended_cost: Option<Amount>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Amount {
    #[serde(default)]
    amount: Dollars,
    unit: Option<String>,
}

impl Report {
    fn read(self, query: UsageQuery<'_>) -> Result<UsagePage, FetchError> {
        let mut rows = Vec::new();
        let mut starts = Vec::new();
        for bucket in self.results_by_time {
            let period = midnight(&bucket.time_period.start).zip(midnight(&bucket.time_period.end));
            let (start, end) = period.filter(|(start, end)| start < end).ok_or(FetchError::BadAnswer)?;
            starts.push(start);
            rows.extend(bucket.groups.into_iter().map(|group| group.row(start, end)));
        }
        let next = self.next_page_token.filter(|token| !token.is_empty());
        let next = usage_page::next(next.is_some(), next, query)?;
        // A page may end within a day.
        let complete_to = starts.last().copied().filter(|_| starts.is_sorted());
        Ok(UsagePage { rows: usage_page::merged(rows), next, complete_to })
    }
}

fn midnight(day: &str) -> Option<Timestamp> {
    Timestamp::parse(&format!("{day}T00:00:00Z"))
}

impl Group {
    fn row(self, bucket_start: Timestamp, bucket_end: Timestamp) -> ReportedUsage {
        ReportedUsage {
            source: COSTS.to_owned(),
            bucket_start,
            bucket_end,
            model: None,
            line_item: self.keys.into_iter().next().and_then(|service| service.0),
            requests: None,
            tokens: TokenCounts::default(),
            cost_nano_usd: self.metrics.unblended_cost.and_then(|cost| cost.nano_usd()),
        }
    }
}

impl Amount {
    fn nano_usd(&self) -> Option<i64> {
        self.amount.0.filter(|_| self.unit.as_deref() == Some("USD"))
    }
}
