//! Anthropic: ordinary keys call models, by its own shape and by OpenAI's; admin keys read the
//! organisation's usage and costs and nothing else. An ordinary key is never judged by what an admin
//! endpoint says to it.

mod usage;

use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use url::Url;

use keyway_domain::KeyFamily;
use keyway_vault::ProviderSecret;

use crate::{
    BadSecret, FetchError, Finding, FormatError, GuardError, GuardedClient, KeyFacts, Provider, ProviderSpec, Signal,
    SignalVerdict, Target, UsageCall, UsagePage, auth,
    catalog::join,
    format,
    grade::{self, Reading},
    guard::{Answer, Question},
    metering,
};

const ADMIN_PREFIX: &str = "sk-ant-admin";
/// Prefixes of login tokens, which expire and are not meant for other programs.
const LOGIN_PREFIXES: [&str; 3] = ["sk-ant-oat", "sk-ant-ort", "sk-ant-sid"];
const KEY_HEADER: HeaderName = HeaderName::from_static("x-api-key");
const VERSION_HEADER: HeaderName = HeaderName::from_static("anthropic-version");
/// API version of the shapes read here; every native call must name one.
const VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");

/// Anthropic as a provider.
pub(crate) struct Anthropic {
    spec: ProviderSpec,
    signals: Vec<Signal>,
}

impl Anthropic {
    pub(crate) fn new(spec: &ProviderSpec) -> Self {
        Self { spec: spec.clone(), signals: signals() }
    }
}

/// Returns the meanings of its answers; `billing_error` is among the codes with the same meaning everywhere.
fn signals() -> Vec<Signal> {
    let says = |status, part, verdict| Signal::contains(status, "/error/message", part, verdict);
    vec![
        says(401, "invalid x-api-key", SignalVerdict::Invalid),
        says(401, "invalid bearer token", SignalVerdict::Invalid),
        says(400, "credit balance is too low", SignalVerdict::NoCredit),
        Signal::equals(403, "/error/type", "permission_error", SignalVerdict::Restricted),
    ]
}

fn family(secret: &ProviderSecret) -> KeyFamily {
    if secret.has_prefix(ADMIN_PREFIX) { KeyFamily::Admin } else { KeyFamily::Ordinary }
}

/// Returns the URL of the probe, and the JSON pointer that only the answer to an accepted key has.
fn probe_of(base: &Url, family: KeyFamily) -> (Url, &'static str) {
    match family {
        KeyFamily::Ordinary => {
            let mut url = join(base, "/models");
            url.query_pairs_mut().append_pair("limit", "1");
            (url, "/data")
        }
        KeyFamily::Admin => (join(base, "/organizations/me"), "/id"),
    }
}

fn is_openai_shaped(path: &str) -> bool {
    path.ends_with("/chat/completions")
}

fn native(headers: &mut HeaderMap, secret: &ProviderSecret) -> Result<(), BadSecret> {
    headers.entry(VERSION_HEADER).or_insert(VERSION);
    auth::alone(headers, KEY_HEADER, secret)
}

async fn ask(http: &GuardedClient, url: Url, secret: &ProviderSecret) -> Result<Answer, GuardError> {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    native(&mut headers, secret).map_err(|_| auth::unsendable())?;
    http.ask(Question::get(url, headers)).await
}

#[async_trait]
impl Provider for Anthropic {
    fn check_format(&self, credentials: &ProviderSecret) -> Result<KeyFacts, FormatError> {
        format::check(&self.spec, credentials)?;
        if LOGIN_PREFIXES.iter().any(|prefix| credentials.has_prefix(prefix)) {
            return Err(FormatError::LoginToken);
        }
        Ok(KeyFacts { hint: format::hint(&self.spec, credentials), family: family(credentials) })
    }

    async fn probe(&self, target: Target<'_>, http: &GuardedClient) -> Finding {
        let (url, proof) = probe_of(target.base_url, family(target.secret));
        match ask(http, url, target.secret).await {
            Ok(answer) => Reading::new(&answer, target.secret).grade(&self.signals, proof),
            Err(error) => grade::no_answer(error),
        }
    }

    fn signals(&self) -> &[Signal] {
        &self.signals
    }

    fn usage_sources(&self, family: KeyFamily) -> Result<&'static [&'static str], FetchError> {
        match family {
            KeyFamily::Admin => Ok(usage::SOURCES),
            KeyFamily::Ordinary => Err(usage::NEEDS_ADMIN_KEY),
        }
    }

    async fn usage_page(&self, UsageCall { target, query, http }: UsageCall<'_>) -> Result<UsagePage, FetchError> {
        self.usage_sources(family(target.secret))?;
        let url = usage::url(target.base_url, query)?;
        usage::read(&ask(http, url, target.secret).await?, target.secret, query)
    }

    fn key_sources(&self, family: KeyFamily) -> &'static [&'static str] {
        match family {
            KeyFamily::Admin => usage::KEY_SOURCES,
            KeyFamily::Ordinary => &[],
        }
    }

    fn authorize(&self, path: &str, headers: &mut HeaderMap, secret: &ProviderSecret) -> Result<(), BadSecret> {
        if is_openai_shaped(path) { auth::bearer(headers, secret) } else { native(headers, secret) }
    }

    // What only counts tokens is free, and its answer names no model.
    fn names_model(&self, path: &str) -> bool {
        !path.ends_with("/count_tokens")
    }

    fn link_field(&self, path: &str) -> Option<&'static str> {
        // Results themselves are the answers of models, which may hold anything.
        (path.contains("/messages/batches") && !path.ends_with("/results")).then_some("results_url")
    }
}
