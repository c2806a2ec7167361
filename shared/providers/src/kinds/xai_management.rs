//! xAI's management keys: another credential than the keys that call models, at another host. A management key reads
//! the spending of its team, by day and line of the bill. Nothing is called with it through the proxy.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use keyway_domain::{KeyFamily, ReportedUsage, Timestamp, TokenCounts};
use keyway_vault::ProviderSecret;
use serde::Deserialize;
use serde_json::json;

use crate::{
    AuthStyle, FetchError, Finding, FormatError, GuardError, GuardedClient, KeyFacts, Provider, ProviderSpec, Signal,
    SignalVerdict, Target, UsageCall, UsagePage, UsageQuery, auth,
    catalog::join,
    format,
    grade::{self, Reading},
    guard::{Answer, Question},
    lenient::{Dollars, Text},
    usage_page,
};

const COSTS: &str = "costs";
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
/// JSON pointer that only the answer to an accepted key has.
const PROOF: &str = "/apiKeyId";

/// xAI's management API as a provider.
pub(crate) struct XaiManagement {
    spec: ProviderSpec,
    signals: Vec<Signal>,
}

impl XaiManagement {
    pub(crate) fn new(spec: &ProviderSpec) -> Self {
        let flag = |pointer, reason| Signal::equals(200, pointer, true, SignalVerdict::Restricted).because(reason);
        let wrong = "xAI knows no such management key; a key that calls models belongs to the provider xai";
        let signals = vec![
            Signal::contains(401, "/message", "Invalid bearer token", SignalVerdict::Invalid).because(wrong),
            flag("/apiKeyBlocked", "xAI has blocked this key"),
            flag("/disabled", "this key is switched off at xAI"),
            flag("/teamBlocked", "xAI has blocked the team of this key"),
        ];
        Self { spec: spec.clone(), signals }
    }

    /// Asks for the validation of the key, which names its team.
    async fn validation(&self, target: Target<'_>, http: &GuardedClient) -> Result<Answer, GuardError> {
        let url = join(target.base_url, "/auth/management-keys/validation");
        auth::ask(http, AuthStyle::Bearer, Method::GET, url, target.secret).await
    }

    /// Returns the team of the key, which is part of the paths of its bills.
    async fn team(&self, target: Target<'_>, http: &GuardedClient) -> Result<String, FetchError> {
        let answer = self.validation(target, http).await?;
        let reading = Reading::new(&answer, target.secret);
        match answer.status.as_u16() {
            200 => {}
            401 if reading.json_at("/code").is_some() => return Err(FetchError::Refused),
            _ => return Err(usage_page::failure(&reading)),
        }
        let team = ["/scopeId", "/teamId"].iter().find_map(|pointer| reading.json_at(pointer)?.as_str());
        // It becomes part of a path.
        let is_id = |id: &&str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        team.filter(is_id).map(str::to_owned).ok_or(FetchError::BadAnswer)
    }
}

#[async_trait]
impl Provider for XaiManagement {
    fn check_format(&self, credentials: &ProviderSecret) -> Result<KeyFacts, FormatError> {
        format::check(&self.spec, credentials)?;
        Ok(KeyFacts { hint: format::hint(&self.spec, credentials), family: KeyFamily::Admin })
    }

    async fn probe(&self, target: Target<'_>, http: &GuardedClient) -> Finding {
        match self.validation(target, http).await {
            Ok(answer) => Reading::new(&answer, target.secret).grade(&self.signals, PROOF),
            Err(error) => grade::no_answer(error),
        }
    }

    fn usage_sources(&self, _: KeyFamily) -> Result<&'static [&'static str], FetchError> {
        Ok(&[COSTS])
    }

    fn renewed_every(&self, _: &str) -> Duration {
        HOUR
    }

    async fn usage_page(&self, UsageCall { target, query, http }: UsageCall<'_>) -> Result<UsagePage, FetchError> {
        let team = self.team(target, http).await?;
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        auth::bearer(&mut headers, target.secret).map_err(|_| FetchError::Refused)?;
        let url = join(target.base_url, &format!("/v1/billing/teams/{team}/usage"));
        let question = Question { method: Method::POST, url, headers, body: question(query) };
        read(&http.ask(question).await?, target.secret, query)
    }
}

/// Returns the body of the request: whole days, every line of the bill, all on one page.
fn question(query: UsageQuery<'_>) -> Bytes {
    let (start, end) = usage_page::whole_buckets(query.window, DAY);
    let midnight = |at: Timestamp| format!("{} 00:00:00", at.day());
    let asked = json!({ "analyticsRequest": {
        "timeRange": { "startTime": midnight(start), "endTime": midnight(end), "timezone": "Etc/GMT" },
        "timeUnit": "TIME_UNIT_DAY",
        "values": [{ "name": "usd", "aggregation": "AGGREGATION_SUM" }],
        "groupBy": ["description"],
        "filters": [],
    } });
    asked.to_string().into()
}

fn read(answer: &Answer, secret: &ProviderSecret, query: UsageQuery<'_>) -> Result<UsagePage, FetchError> {
    if !answer.status.is_success() {
        return Err(usage_page::failure(&Reading::new(answer, secret)));
    }
    let report: Report = serde_json::from_slice(&answer.body).map_err(|_| FetchError::BadAnswer)?;
    if report.limit_reached {
        // Some lines are missing, and nobody says which: a part is no figure.
        return Err(FetchError::BadAnswer);
    }
    let mut rows = Vec::new();
    for line in report.time_series {
        let line_item = line.group.into_iter().next().and_then(|name| name.0);
        for point in line.data_points {
            let cost_nano_usd = point.values.first().and_then(|value| value.0);
            rows.push(row(query.source, (point.timestamp, line_item.clone()), cost_nano_usd));
        }
    }
    Ok(UsagePage { rows: usage_page::merged(rows), next: None, complete_to: None })
}

fn row(source: &str, (day, line_item): (Timestamp, Option<String>), cost_nano_usd: Option<i64>) -> ReportedUsage {
    let bucket_start = day.floor(DAY);
    ReportedUsage {
        source: source.to_owned(),
        bucket_start,
        bucket_end: bucket_start.after(DAY),
        model: None,
        line_item,
        requests: None,
        tokens: TokenCounts::default(),
        cost_nano_usd,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    time_series: Vec<Line>,
    #[serde(default)]
    limit_reached: bool,
}

/// A line of the bill, by day.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    group: Vec<Text>,
    data_points: Vec<Point>,
}

#[derive(Deserialize)]
struct Point {
    timestamp: Timestamp,
    values: Vec<Dollars>,
}
