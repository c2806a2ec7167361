//! OpenRouter: OpenAI's shape, and a report of the account's activity that only a management key may read. The spending
//! of an ordinary key is metered exactly, since every answer states its charge.

use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderMap, Method};
use keyway_domain::{KeyFamily, ReportedUsage, Timestamp, TokenCounts};
use keyway_vault::ProviderSecret;
use serde::Deserialize;

use super::openai_compatible::OpenAiCompatible;
use crate::{
    AuthStyle, BadSecret, FetchError, Finding, FormatError, GuardedClient, KeyFacts, Provider, ProviderSpec, Signal,
    Target, UsageCall, UsagePage, UsageQuery, auth,
    catalog::join,
    grade::Reading,
    guard::Answer,
    lenient::{Count, Dollars, Text},
    usage_page,
};

const ACTIVITY: &str = "activity";
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
const NEEDS_MANAGEMENT_KEY: FetchError = FetchError::NotReportable {
    why: "OpenRouter reports usage only to a management key; calls through Keyway are metered with its own charge",
};

/// OpenRouter as a provider.
pub(crate) struct OpenRouter {
    shape: OpenAiCompatible,
}

impl OpenRouter {
    pub(crate) fn new(spec: &ProviderSpec) -> Self {
        Self { shape: OpenAiCompatible::new(spec) }
    }
}

#[async_trait]
impl Provider for OpenRouter {
    fn check_format(&self, credentials: &ProviderSecret) -> Result<KeyFacts, FormatError> {
        self.shape.check_format(credentials)
    }

    async fn probe(&self, target: Target<'_>, http: &GuardedClient) -> Finding {
        self.shape.probe(target, http).await
    }

    fn signals(&self) -> &[Signal] {
        self.shape.signals()
    }

    // Both kinds of key look alike: only the answer tells which one it is.
    fn usage_sources(&self, _: KeyFamily) -> Result<&'static [&'static str], FetchError> {
        Ok(&[ACTIVITY])
    }

    // Only days that are over are in it.
    fn renewed_every(&self, _: &str) -> Duration {
        HOUR
    }

    async fn usage_page(&self, UsageCall { target, query, http }: UsageCall<'_>) -> Result<UsagePage, FetchError> {
        // The last 30 completed days, all on one page.
        let url = join(target.base_url, "/activity");
        read(&auth::ask(http, AuthStyle::Bearer, Method::GET, url, target.secret).await?, target.secret, query)
    }

    fn authorize(&self, path: &str, headers: &mut HeaderMap, secret: &ProviderSecret) -> Result<(), BadSecret> {
        self.shape.authorize(path, headers, secret)
    }
}

fn read(answer: &Answer, secret: &ProviderSecret, query: UsageQuery<'_>) -> Result<UsagePage, FetchError> {
    let reading = Reading::new(answer, secret);
    match answer.status.as_u16() {
        200 => {}
        403 if reading.json_at("/error/code").is_some() => return Err(NEEDS_MANAGEMENT_KEY),
        401 if reading.json_at("/error/code").is_some() => return Err(FetchError::Refused),
        _ => return Err(usage_page::failure(&reading)),
    }
    let activity: Activity = serde_json::from_slice(&answer.body).map_err(|_| FetchError::BadAnswer)?;
    let rows: Option<Vec<_>> = activity.data.into_iter().map(Entry::row).collect();
    let rows = usage_page::merged(rows.ok_or(FetchError::BadAnswer)?);
    let in_window = |row: &ReportedUsage| row.bucket_end > query.window.from && row.bucket_start < query.window.to;
    Ok(UsagePage { rows: rows.into_iter().filter(in_window).collect(), next: None, complete_to: None })
}

#[derive(Deserialize)]
struct Activity {
    data: Vec<Entry>,
}

/// Usage of one model at one endpoint on one day.
#[derive(Deserialize)]
struct Entry {
    date: String,
    #[serde(default)]
    model: Text,
    #[serde(default)]
    usage: Dollars,
    #[serde(default)]
    requests: Count,
    #[serde(default)]
    prompt_tokens: Count,
    #[serde(default)]
    cached_tokens: Count,
    #[serde(default)]
    completion_tokens: Count,
    #[serde(default)]
    reasoning_tokens: Count,
}

impl Entry {
    fn row(self) -> Option<ReportedUsage> {
        let bucket_start = Timestamp::parse(&format!("{}T00:00:00Z", self.date.get(..10)?))?;
        Some(ReportedUsage {
            source: ACTIVITY.to_owned(),
            bucket_start,
            bucket_end: bucket_start.after(DAY),
            model: self.model.0,
            line_item: None,
            requests: self.requests.0,
            tokens: TokenCounts {
                input: self.prompt_tokens.0,
                cached_input: self.cached_tokens.0,
                output: self.completion_tokens.0,
                reasoning: self.reasoning_tokens.0,
                ..TokenCounts::default()
            },
            cost_nano_usd: self.usage.0,
        })
    }
}
