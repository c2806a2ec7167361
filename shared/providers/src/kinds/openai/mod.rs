//! OpenAI: ordinary keys call models and list them; admin keys read the organisation's usage and
//! costs and nothing else.

mod usage;

use async_trait::async_trait;
use http::{HeaderMap, Method};
use keyway_domain::{KeyFamily, Timestamp};
use keyway_vault::ProviderSecret;
use url::Url;

use crate::{
    AuthStyle, BadSecret, FetchError, Finding, FormatError, GuardedClient, KeyFacts, Provider, ProviderSpec, Signal,
    SignalVerdict, Target, UsageCall, UsagePage, auth,
    catalog::join,
    format,
    grade::{self, Reading},
};

const ADMIN_PREFIX: &str = "sk-admin-";

/// OpenAI as a provider.
pub(crate) struct OpenAi {
    spec: ProviderSpec,
    signals: Vec<Signal>,
}

impl OpenAi {
    pub(crate) fn new(spec: &ProviderSpec) -> Self {
        let restricted =
            |status| Signal::contains(status, "/error/message", "Missing scopes", SignalVerdict::Restricted);
        let invalid = Signal::equals(401, "/error/code", "invalid_api_key", SignalVerdict::Invalid);
        Self { spec: spec.clone(), signals: vec![invalid, restricted(401), restricted(403)] }
    }
}

fn family(secret: &ProviderSecret) -> KeyFamily {
    if secret.has_prefix(ADMIN_PREFIX) { KeyFamily::Admin } else { KeyFamily::Ordinary }
}

fn probe_url(base: &Url, family: KeyFamily) -> Url {
    match family {
        KeyFamily::Ordinary => join(base, "/models"),
        KeyFamily::Admin => {
            let mut url = join(base, "/organization/costs");
            let start = Timestamp::now().floor(usage::DAY).seconds();
            url.query_pairs_mut().append_pair("start_time", &start.to_string()).append_pair("limit", "1");
            url
        }
    }
}

#[async_trait]
impl Provider for OpenAi {
    fn check_format(&self, credentials: &ProviderSecret) -> Result<KeyFacts, FormatError> {
        format::check(&self.spec, credentials)?;
        Ok(KeyFacts { hint: format::hint(&self.spec, credentials), family: family(credentials) })
    }

    async fn probe(&self, target: Target<'_>, http: &GuardedClient) -> Finding {
        let url = probe_url(target.base_url, family(target.secret));
        let answer = match auth::ask(http, AuthStyle::Bearer, Method::GET, url, target.secret).await {
            Ok(answer) => answer,
            Err(error) => return grade::no_answer(error),
        };
        Reading::new(&answer, target.secret).grade(&self.signals, "/data")
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
        let answer = auth::ask(http, AuthStyle::Bearer, Method::GET, url, target.secret).await?;
        usage::read(&answer, target.secret, query)
    }

    fn key_sources(&self, family: KeyFamily) -> &'static [&'static str] {
        match family {
            KeyFamily::Admin => usage::KEY_SOURCES,
            KeyFamily::Ordinary => &[],
        }
    }

    fn authorize(&self, _: &str, headers: &mut HeaderMap, secret: &ProviderSecret) -> Result<(), BadSecret> {
        auth::bearer(headers, secret)
    }
}
