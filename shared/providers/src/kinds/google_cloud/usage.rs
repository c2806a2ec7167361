//! Google's Cloud Monitoring: tokens and calls of each model that a project used, by the day. Costs are not in it;
//! Google reports them only in exports to BigQuery, so cost stays unknown.

use std::time::Duration;

use keyway_domain::{ReportedUsage, Timestamp, TokenCounts};
use keyway_vault::ProviderSecret;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::{
    FetchError, Signal, SignalVerdict, UsagePage, UsageQuery, catalog::join, grade::Reading, guard::Answer,
    lenient::Text, usage_page,
};

/// Reports. Input and output are separate, so that a series on a later page never replaces a figure.
pub(crate) const SOURCES: &[&str] = &[INPUT, OUTPUT, REQUESTS];
/// Interval of fetches; new figures appear within minutes.
pub(crate) const INTERVAL: Duration = Duration::from_secs(3600);

const INPUT: &str = "vertex.input_tokens";
const OUTPUT: &str = "vertex.output_tokens";
const REQUESTS: &str = "vertex.requests";
const DAY: Duration = Duration::from_secs(86_400);
const DENIED: FetchError = FetchError::NotReportable {
    why: "this service account may not read the project's metrics; give it the role roles/monitoring.viewer",
};
const DISABLED: FetchError = FetchError::NotReportable {
    why: "the Cloud Monitoring API is disabled in this project; enable it (monitoring.googleapis.com)",
};

/// Returns the metric of a report, and the token type that filters it.
fn metric(source: &str) -> Option<(&'static str, Option<&'static str>)> {
    match source {
        INPUT => Some(("token_count", Some("input"))),
        OUTPUT => Some(("token_count", Some("output"))),
        REQUESTS => Some(("model_invocation_count", None)),
        _ => None,
    }
}

/// Returns the URL of one page: a sum per day and model.
pub(crate) fn url(host: &Url, project_id: &str, query: UsageQuery<'_>) -> Result<Url, FetchError> {
    let none = FetchError::NotReportable { why: "Google Cloud has no such report" };
    let (metric, of_type) = metric(query.source).ok_or(none)?;
    let mut filter = format!("metric.type = \"aiplatform.googleapis.com/publisher/online_serving/{metric}\"");
    if let Some(of_type) = of_type {
        filter.push_str(&format!(" AND metric.labels.type = \"{of_type}\""));
    }
    let (start, end) = usage_page::whole_buckets(query.window, DAY);
    let mut url = join(host, &format!("/v3/projects/{project_id}/timeSeries"));
    url.query_pairs_mut()
        .append_pair("filter", &filter)
        .append_pair("interval.startTime", &start.to_string())
        .append_pair("interval.endTime", &end.to_string())
        .append_pair("aggregation.alignmentPeriod", "86400s")
        .append_pair("aggregation.perSeriesAligner", "ALIGN_SUM")
        .append_pair("aggregation.crossSeriesReducer", "REDUCE_SUM")
        .append_pair("aggregation.groupByFields", "resource.labels.model_user_id")
        .append_pair("aggregation.groupByFields", "metric.labels.type")
        .append_pair("pageSize", "1000");
    if let Some(page) = query.page {
        url.query_pairs_mut().append_pair("pageToken", page);
    }
    Ok(url)
}

/// Reads the answer to [`url`].
pub(crate) fn read(answer: &Answer, secret: &ProviderSecret, query: UsageQuery<'_>) -> Result<UsagePage, FetchError> {
    let reading = Reading::new(answer, secret);
    let says =
        |pointer: &str, what: &str| reading.matches(&Signal::equals(403, pointer, what, SignalVerdict::Restricted));
    if says("/error/details/*/reason", "SERVICE_DISABLED") {
        return Err(DISABLED);
    }
    if says("/error/status", "PERMISSION_DENIED") {
        return Err(DENIED);
    }
    if answer.status.as_u16() != 200 {
        return Err(usage_page::failure(&reading));
    }
    let page: Page = serde_json::from_slice(&answer.body).map_err(|_| FetchError::BadAnswer)?;
    let of_type = metric(query.source).and_then(|(_, of_type)| of_type);
    let mut rows = Vec::new();
    for series in page.time_series.into_iter().filter(|series| series.is_of(of_type)) {
        for point in series.points {
            rows.push(point.row(query.source, series.resource.labels.model_user_id.0.clone())?);
        }
    }
    let next = page.next_page_token.filter(|token| !token.is_empty());
    let next = usage_page::next(next.is_some(), next, query)?;
    Ok(UsagePage { rows: usage_page::merged(rows), next, complete_to: None })
}

/// One page; without any series it is an empty object.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    time_series: Vec<Series>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct Series {
    #[serde(default)]
    metric: Metric,
    #[serde(default)]
    resource: Resource,
    #[serde(default)]
    points: Vec<Point>,
}

#[derive(Default, Deserialize)]
struct Metric {
    #[serde(default)]
    labels: MetricLabels,
}

#[derive(Default, Deserialize)]
struct MetricLabels {
    #[serde(default, rename = "type")]
    of_type: Text,
}

#[derive(Default, Deserialize)]
struct Resource {
    #[serde(default)]
    labels: ResourceLabels,
}

#[derive(Default, Deserialize)]
struct ResourceLabels {
    #[serde(default)]
    model_user_id: Text,
}

#[derive(Deserialize)]
struct Point {
    interval: Interval,
    #[serde(default)]
    value: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Interval {
    start_time: Timestamp,
    end_time: Timestamp,
}

impl Series {
    fn is_of(&self, of_type: Option<&str>) -> bool {
        of_type.is_none_or(|of_type| self.metric.labels.of_type.0.as_deref() == Some(of_type))
    }
}

impl Point {
    fn row(self, source: &str, model: Option<String>) -> Result<ReportedUsage, FetchError> {
        let (bucket_start, bucket_end) = (self.interval.start_time, self.interval.end_time);
        if bucket_end <= bucket_start {
            return Err(FetchError::BadAnswer);
        }
        // Whole numbers are texts, as everywhere in Google's JSON.
        let count = self.value.get("int64Value").and_then(Value::as_str).and_then(|text| text.parse().ok());
        let count = count.filter(|count: &i64| *count >= 0);
        let of = |wanted| count.filter(|_| source == wanted);
        let tokens = TokenCounts { input: of(INPUT), output: of(OUTPUT), ..TokenCounts::default() };
        Ok(ReportedUsage {
            source: source.to_owned(),
            bucket_start,
            bucket_end,
            model,
            line_item: None,
            requests: of(REQUESTS),
            tokens,
            cost_nano_usd: None,
        })
    }
}
