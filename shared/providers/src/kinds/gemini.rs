//! Google Gemini with a key of AI Studio: its own shape, and OpenAI's under `/openai/`. Exactly one
//! credential is sent, and never in the query, where it would end up in logs.

use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use keyway_domain::KeyFamily;
use keyway_vault::ProviderSecret;

use crate::{
    BadSecret, FetchError, Finding, FormatError, GuardError, GuardedClient, KeyFacts, Provider, ProviderSpec, Signal,
    SignalVerdict, Target, UsageCall, UsagePage, auth,
    catalog::join,
    format,
    grade::{self, Reading},
    guard::{Answer, Question},
};

/// JSON pointer to the id of the exhausted quota.
const QUOTA: &str = "/error/details/*/violations/*/quotaId";
const KEY_HEADER: HeaderName = HeaderName::from_static("x-goog-api-key");
const NOT_REPORTABLE: FetchError = FetchError::NotReportable {
    why: "Google reports no usage to an API key; calls through Keyway are metered, and a Google Cloud service account \
          of the same project can report what the whole project used",
};

/// Gemini as a provider.
pub(crate) struct Gemini {
    spec: ProviderSpec,
    signals: Vec<Signal>,
}

impl Gemini {
    pub(crate) fn new(spec: &ProviderSpec) -> Self {
        Self { spec: spec.clone(), signals: signals() }
    }
}

/// Returns the meanings of its answers. Google states its reason in one of several details, in no fixed order.
fn signals() -> Vec<Signal> {
    let reason = |status, reason, verdict| Signal::equals(status, "/error/details/*/reason", reason, verdict);
    let refused_type = "Google no longer accepts keys of this type; create a new one in AI Studio";
    let leaked = "Google has blocked this key because it was found in public; create a new one";
    let daily = "the key works, but its quota for today is used up; it begins anew at midnight Pacific time";
    let limited = |code, sentence| reason(403, code, SignalVerdict::Restricted).because(sentence);
    vec![
        reason(400, "API_KEY_INVALID", SignalVerdict::Invalid),
        reason(401, "ACCESS_TOKEN_TYPE_UNSUPPORTED", SignalVerdict::Invalid).because(refused_type),
        Signal::contains(403, "/error/message", "reported as leaked", SignalVerdict::Invalid).because(leaked),
        limited("SERVICE_DISABLED", "the key works, but the Gemini API is not enabled in its Google Cloud project"),
        limited("API_KEY_SERVICE_BLOCKED", "the key works, but it is restricted to other APIs than Gemini's"),
        limited("API_KEY_IP_ADDRESS_BLOCKED", "the key works, but not from this installation's IP address"),
        limited("API_KEY_HTTP_REFERRER_BLOCKED", "the key works, but it is restricted to web pages"),
        Signal::contains(429, QUOTA, "PerDay", SignalVerdict::NoCredit).because(daily),
    ]
}

async fn ask(target: Target<'_>, http: &GuardedClient) -> Result<Answer, GuardError> {
    let mut url = join(target.base_url, "/models");
    url.query_pairs_mut().append_pair("pageSize", "1");
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    auth::alone(&mut headers, KEY_HEADER, target.secret).map_err(|_| auth::unsendable())?;
    http.ask(Question::get(url, headers)).await
}

#[async_trait]
impl Provider for Gemini {
    fn check_format(&self, credentials: &ProviderSecret) -> Result<KeyFacts, FormatError> {
        format::check(&self.spec, credentials)?;
        Ok(KeyFacts { hint: format::hint(&self.spec, credentials), family: KeyFamily::Ordinary })
    }

    async fn probe(&self, target: Target<'_>, http: &GuardedClient) -> Finding {
        match ask(target, http).await {
            Ok(answer) => Reading::new(&answer, target.secret).grade(&self.signals, "/models"),
            Err(error) => grade::no_answer(error),
        }
    }

    fn signals(&self) -> &[Signal] {
        &self.signals
    }

    fn usage_sources(&self, _: KeyFamily) -> Result<&'static [&'static str], FetchError> {
        Err(NOT_REPORTABLE)
    }

    async fn usage_page(&self, _: UsageCall<'_>) -> Result<UsagePage, FetchError> {
        Err(NOT_REPORTABLE)
    }

    fn authorize(&self, path: &str, headers: &mut HeaderMap, secret: &ProviderSecret) -> Result<(), BadSecret> {
        if is_openai_shaped(path) { auth::bearer(headers, secret) } else { auth::alone(headers, KEY_HEADER, secret) }
    }
}

fn is_openai_shaped(path: &str) -> bool {
    path.contains("/openai/")
}
