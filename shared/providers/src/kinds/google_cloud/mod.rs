//! Google Cloud: a service account's key, exchanged for a token by an assertion that it signs, whose
//! project's token counts Cloud Monitoring reports. Nothing is called with it through the proxy, and its
//! `token_uri` is compared, never called.

mod key;
mod usage;

use std::time::Duration;

use async_trait::async_trait;
use http::Method;
use keyway_domain::{KeyFamily, Timestamp, VerdictKind};
use keyway_vault::ProviderSecret;
use url::Url;

use super::{cloud, credential_fields};
use crate::{
    AuthStyle, FetchError, Finding, FormatError, GuardedClient, KeyFacts, Provider, ProviderSpec, Target, UsageCall,
    UsagePage, auth,
    catalog::join,
    grade::{self, Reading},
};
use key::ServiceAccount;

const TOKEN_HOST: &str = "oauth2.googleapis.com";
const MONITORING_HOST: &str = "monitoring.googleapis.com";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// JSON pointer that proves the key in an answer of the token endpoint.
const PROOF: &str = "/access_token";

/// Values of the token endpoint's `error`, with a part of its description, that say something about the key.
const TOKEN_ERRORS: &[(&str, &str, VerdictKind, &str)] = &[
    (
        "invalid_grant",
        "Invalid JWT Signature",
        VerdictKind::Invalid,
        "Google no longer knows this key of the service account, or its parts do not belong together; make a new one",
    ),
    ("invalid_grant", "account not found", VerdictKind::Invalid, "the service account is deleted; enter another's key"),
    ("invalid_grant", "account disabled", VerdictKind::Invalid, "the service account is disabled; enable it"),
    (
        "invalid_grant",
        "reasonable timeframe",
        VerdictKind::Unreachable,
        "Google finds this machine's clock wrong, which says nothing about the key; set it",
    ),
    (
        "unauthorized_client",
        "",
        VerdictKind::Unreachable,
        "Google does not let this service account have tokens in this way; no verdict on the key",
    ),
    ("rate_limit_exceeded", "", VerdictKind::RateLimited, "Google asks to wait"),
];

/// Google Cloud as a provider.
pub(crate) struct GoogleCloud {
    spec: ProviderSpec,
}

impl GoogleCloud {
    pub(crate) fn new(spec: &ProviderSpec) -> Self {
        Self { spec: spec.clone() }
    }

    /// Returns an access token, with the finding that proves the key.
    async fn token(
        &self,
        base: &Url,
        account: &ServiceAccount,
        http: &GuardedClient,
    ) -> Result<(ProviderSecret, Finding), Finding> {
        let host = cloud::host(&self.spec, base, TOKEN_HOST).map_err(grade::no_answer)?;
        let assertion = account.assertion(Timestamp::now()).map_err(credential_fields::unreadable)?;
        let form = [("grant_type", GRANT), ("assertion", assertion.plain().as_str())];
        let answer = cloud::exchange(http, join(&host, "/token"), &form).await.map_err(grade::no_answer)?;
        let reading = Reading::new(&answer, &assertion);
        match cloud::access_token(&answer) {
            Some(token) => Ok((token, reading.finding(VerdictKind::Valid, "Google accepts the key"))),
            None => Err(judge(&reading)),
        }
    }
}

fn judge(reading: &Reading<'_>) -> Finding {
    let text = |pointer| reading.json_at(pointer).and_then(|text| text.as_str()).unwrap_or_default();
    let (error, description) = (text("/error"), text("/error_description"));
    let said = TOKEN_ERRORS.iter().find(|(known, part, ..)| *known == error && description.contains(part));
    match said.filter(|_| reading.status().is_client_error()) {
        Some((code, _, kind, reason)) => {
            let mut finding = reading.finding(*kind, reason);
            finding.evidence.provider_code = Some((*code).to_owned());
            finding
        }
        None => reading.grade(&[], PROOF),
    }
}

#[async_trait]
impl Provider for GoogleCloud {
    fn check_format(&self, credentials: &ProviderSecret) -> Result<KeyFacts, FormatError> {
        Ok(KeyFacts { hint: ServiceAccount::parse(credentials)?.hint(), family: KeyFamily::Admin })
    }

    async fn probe(&self, target: Target<'_>, http: &GuardedClient) -> Finding {
        let account = match ServiceAccount::parse(target.secret) {
            Ok(account) => account,
            Err(error) => return credential_fields::unreadable(error),
        };
        match self.token(target.base_url, &account, http).await {
            Ok((_, finding)) | Err(finding) => finding,
        }
    }

    fn usage_sources(&self, _: KeyFamily) -> Result<&'static [&'static str], FetchError> {
        Ok(usage::SOURCES)
    }

    fn renewed_every(&self, _: &str) -> Duration {
        usage::INTERVAL
    }

    async fn usage_page(&self, UsageCall { target, query, http }: UsageCall<'_>) -> Result<UsagePage, FetchError> {
        let account = ServiceAccount::parse(target.secret).map_err(|_| FetchError::Refused)?;
        let host = cloud::host(&self.spec, target.base_url, MONITORING_HOST)?;
        let url = usage::url(&host, account.project_id(), query)?;
        let token = self.token(target.base_url, &account, http).await;
        let (token, _) = token.map_err(|finding| cloud::without_token(&finding))?;
        let answer = auth::ask(http, AuthStyle::Bearer, Method::GET, url, &token).await?;
        usage::read(&answer, &token, query)
    }
}
