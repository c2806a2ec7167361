//! Azure's Cost Management: the cost of each service of a subscription by the day. An amount in another currency than
//! US dollars, or negative, is unknown. A link to a next page is taken apart, never followed.

use std::time::Duration;

use http::HeaderMap;
use keyway_domain::{ReportedUsage, Timestamp, TokenCounts};
use keyway_vault::ProviderSecret;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{json, value::RawValue};
use url::Url;

use crate::{
    FetchError, UsagePage, UsageQuery,
    catalog::join,
    grade::Reading,
    guard::Answer,
    lenient::{Dollars, Text},
    retry_after, usage_page,
};

/// Reports.
pub(crate) const SOURCES: &[&str] = &[COSTS];
/// Interval of fetches: figures are renewed every few hours, and Azure asks to read them about once a day.
pub(crate) const INTERVAL: Duration = Duration::from_secs(12 * 3600);
/// Result of a fetch for an application without a role.
pub(crate) const NO_ROLE: FetchError = FetchError::NotReportable {
    why: "this application may not read the subscription's costs; give it the role Cost Management Reader on it",
};

const COSTS: &str = "costs";
const DAY: Duration = Duration::from_secs(86_400);
const SKIP_TOKEN: &str = "$skiptoken";
const OF_PARTNER: FetchError = FetchError::NotReportable {
    why: "the partner who sells this subscription has not released its costs; ask for them there",
};

/// Returns the URL at which the costs of a subscription are asked for.
pub(crate) fn url(base: &Url, subscription: &str, query: UsageQuery<'_>) -> Url {
    let mut url = join(base, &format!("/subscriptions/{subscription}/providers/Microsoft.CostManagement/query"));
    url.query_pairs_mut().append_pair("api-version", "2025-03-01");
    if let Some(page) = query.page {
        url.query_pairs_mut().append_pair(SKIP_TOKEN, page);
    }
    url
}

/// Returns the body of the request, the same for every page.
pub(crate) fn question(query: UsageQuery<'_>) -> Result<String, FetchError> {
    if query.source != COSTS {
        return Err(FetchError::NotReportable { why: "Azure has no such report" });
    }
    let (start, end) = usage_page::whole_buckets(query.window, DAY);
    let question = json!({
        "type": "ActualCost",
        "timeframe": "Custom",
        "timePeriod": { "from": start.to_string(), "to": end.before(Duration::from_secs(1)).to_string() },
        "dataset": {
            "granularity": "Daily",
            "aggregation": { "totalCost": { "name": "Cost", "function": "Sum" } },
            "grouping": [{ "type": "Dimension", "name": "ServiceName" }],
        },
    });
    Ok(question.to_string())
}

/// Reads the answer to [`question`], sent to a host of `base`.
pub(crate) fn read(
    answer: &Answer,
    secret: &ProviderSecret,
    base: &Url,
    query: UsageQuery<'_>,
) -> Result<UsagePage, FetchError> {
    match answer.status.as_u16() {
        200 => {}
        204 => return Ok(UsagePage::default()),
        _ => return Err(failure(answer, secret)),
    }
    let report: Report = serde_json::from_slice(&answer.body).map_err(|_| FetchError::BadAnswer)?;
    let report = report.properties;
    let next = report.next_link.as_deref().filter(|link| !link.is_empty());
    let next = next.map(|link| skip_token(link, base).ok_or(FetchError::BadAnswer)).transpose()?;
    let next = usage_page::next(next.is_some(), next, query)?;
    let rows = report.rows().ok_or(FetchError::BadAnswer)?;
    Ok(UsagePage { rows: usage_page::merged(rows), next, complete_to: None })
}

/// Returns the token of the next page; `None` for a link to another host.
fn skip_token(link: &str, base: &Url) -> Option<String> {
    let link = Url::parse(link).ok().filter(|link| link.origin() == base.origin())?;
    link.query_pairs().find(|(name, _)| name.eq_ignore_ascii_case(SKIP_TOKEN)).map(|(_, token)| token.into_owned())
}

fn failure(answer: &Answer, secret: &ProviderSecret) -> FetchError {
    let reading = Reading::new(answer, secret);
    let code = reading.json_at("/error/code").and_then(|code| code.as_str());
    match (answer.status.as_u16(), code) {
        (401 | 403, Some("AuthorizationFailed" | "RBACAccessDenied")) => NO_ROLE,
        (400, Some("IndirectCostDisabled")) => OF_PARTNER,
        (429, _) => FetchError::RateLimited { retry_after: longest_wait(&answer.headers).or(reading.retry_after()) },
        _ => usage_page::failure(&reading),
    }
}

/// Returns the longest wait in the headers. Azure counts by tenant, client and more, each with a header of its own, in
/// seconds.
fn longest_wait(headers: &HeaderMap) -> Option<Duration> {
    let waits = headers.iter().filter(|(name, _)| name.as_str().ends_with("-retry-after"));
    let seconds = waits.filter_map(|(_, value)| value.to_str().ok()?.trim().parse().ok());
    seconds.max().map(|seconds| Duration::from_secs(seconds).min(retry_after::LONGEST))
}

#[derive(Deserialize)]
struct Report {
    properties: Properties,
}

/// A table with named columns.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    next_link: Option<String>,
    columns: Vec<Column>,
    rows: Vec<Vec<Box<RawValue>>>,
}

#[derive(Deserialize)]
struct Column {
    name: String,
}

impl Properties {
    fn rows(&self) -> Option<Vec<ReportedUsage>> {
        let column = |name: &str| self.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name));
        let (date, service) = (column("UsageDate")?, column("ServiceName"));
        let (cost, currency) = (column("Cost"), column("Currency"));
        let row = |cells: &Vec<Box<RawValue>>| {
            let bucket_start = day(cells.get(date)?.get())?;
            let is_usd = cell::<Text>(cells, currency).and_then(|currency| currency.0).as_deref() == Some("USD");
            Some(ReportedUsage {
                source: COSTS.to_owned(),
                bucket_start,
                bucket_end: bucket_start.after(DAY),
                model: None,
                line_item: cell::<Text>(cells, service).and_then(|service| service.0),
                requests: None,
                tokens: TokenCounts::default(),
                cost_nano_usd: cell::<Dollars>(cells, cost).and_then(|cost| cost.0).filter(|_| is_usd),
            })
        };
        self.rows.iter().map(row).collect()
    }
}

fn cell<T: DeserializeOwned>(cells: &[Box<RawValue>], column: Option<usize>) -> Option<T> {
    serde_json::from_str(cells.get(column?)?.get()).ok()
}

/// Reads `20261101`.
fn day(number: &str) -> Option<Timestamp> {
    let is_day = number.len() == 8 && number.bytes().all(|byte| byte.is_ascii_digit());
    let (year, rest) = number.split_at_checked(4).filter(|_| is_day)?;
    let (month, day) = rest.split_at_checked(2)?;
    Timestamp::parse(&format!("{year}-{month}-{day}T00:00:00Z"))
}
