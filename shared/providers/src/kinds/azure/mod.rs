//! Azure: an application of Entra ID with its client secret, exchanged for a token, whose subscription's
//! costs Cost Management reports. Nothing is called with it through the proxy.

mod usage;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use keyway_domain::{KeyFamily, VerdictKind};
use keyway_vault::{ProviderSecret, SecretString};
use serde_json::Value;
use url::Url;

use super::{
    cloud,
    credential_fields::{self, Fields, is_uuid},
};
use crate::{
    AuthStyle, FetchError, Finding, FormatError, GuardError, GuardedClient, KeyFacts, Provider, ProviderSpec, Target,
    UsageCall, UsagePage, auth,
    catalog::join,
    grade::{self, Reading},
    guard::{Answer, Question},
    usage_page,
};

const FORM: &str = "`tenant_id`, `client_id` and `client_secret`, and `subscription_id` if it is for one alone";
const LOGIN_HOST: &str = "login.microsoftonline.com";
const SCOPE: &str = "https://management.azure.com/.default";
const NO_ROLE: &str = "the credential works, but its application has no role on the subscription; give it the role \
                       Cost Management Reader";

/// Entra's error codes that say something about the credential, with verdict and sentence.
const TOKEN_ERRORS: &[(i64, VerdictKind, &str)] = &[
    (7_000_215, VerdictKind::Invalid, "the client secret is wrong; enter its value, which is not its ID"),
    (7_000_222, VerdictKind::Invalid, "the client secret has expired; make a new one and enter it"),
    (700_016, VerdictKind::Invalid, "the tenant has no such application; check the tenant and client ids"),
    (7_000_112, VerdictKind::Invalid, "the application is disabled; enable it or enter another one"),
    (90_002, VerdictKind::Invalid, "there is no such tenant in this cloud; check the tenant id"),
    (900_023, VerdictKind::Invalid, "the tenant id is neither an id nor a domain that Azure knows; check it"),
    (53_003, VerdictKind::Unreachable, "a Conditional Access policy refuses this sign-in; no verdict on the secret"),
];

/// Azure as a provider.
pub(crate) struct Azure {
    spec: ProviderSpec,
}

/// A parsed credential.
struct Application {
    tenant_id: String,
    client_id: String,
    client_secret: SecretString,
    subscription_id: Option<String>,
}

impl Application {
    fn parse(credentials: &ProviderSecret) -> Result<Self, FormatError> {
        const NO_UUID: &str = "is not an id like 00000000-0000-0000-0000-000000000000";
        let fields = Fields::read(credentials, FORM)?;
        let is_tenant = |text: &str| is_uuid(text) || is_domain(text);
        let tenant_id = fields.public("tenant_id", is_tenant, "is neither a tenant's id nor its domain")?;
        let client_id = fields.public("client_id", is_uuid, NO_UUID)?;
        let client_secret = fields.word("client_secret")?;
        let problem = match client_secret.plain().as_str() {
            id if is_uuid(id) => Some("is the secret's ID; enter its value, which Azure shows once when it is made"),
            value if !(16..=128).contains(&value.len()) => Some("is not a client secret, which has some 40 characters"),
            _ => None,
        };
        if let Some(problem) = problem {
            return Err(FormatError::Field { field: "client_secret", problem });
        }
        let subscription_id = fields.optional_public("subscription_id", is_uuid, NO_UUID)?;
        Ok(Self { tenant_id, client_id, client_secret, subscription_id })
    }
}

/// Returns `true` if the text is a domain name, safe as a part of a path.
fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.bytes().all(plain)
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(label)
}

impl Azure {
    pub(crate) fn new(spec: &ProviderSpec) -> Self {
        Self { spec: spec.clone() }
    }

    /// Returns an access token for Azure's management.
    async fn token(&self, base: &Url, app: &Application, http: &GuardedClient) -> Result<ProviderSecret, Finding> {
        let host = cloud::host(&self.spec, base, LOGIN_HOST).map_err(grade::no_answer)?;
        let url = join(&host, &format!("/{}/oauth2/v2.0/token", app.tenant_id));
        let secret = app.client_secret.plain();
        let form = [
            ("client_id", app.client_id.as_str()),
            ("client_secret", secret),
            ("scope", SCOPE),
            ("grant_type", "client_credentials"),
        ];
        let answer = cloud::exchange(http, url, &form).await.map_err(grade::no_answer)?;
        cloud::access_token(&answer).ok_or_else(|| without_token(&Reading::new(&answer, &app.client_secret)))
    }

    /// Returns the subscription whose costs are reported: the credential's, else the first it may see.
    async fn subscription(
        &self,
        base: &Url,
        app: &Application,
        token: &ProviderSecret,
        http: &GuardedClient,
    ) -> Result<String, FetchError> {
        if let Some(id) = &app.subscription_id {
            return Ok(id.clone());
        }
        let answer = subscriptions(base, token, http).await?;
        let reading = Reading::new(&answer, token);
        if !answer.status.is_success() {
            return Err(usage_page::failure(&reading));
        }
        let ids = ids(&reading).ok_or(FetchError::BadAnswer)?;
        match ids.first() {
            Some(id) if is_uuid(id) => Ok((*id).to_owned()),
            Some(_) => Err(FetchError::BadAnswer),
            None => Err(usage::NO_ROLE),
        }
    }
}

/// Grades an answer without a token. Entra decides by codes; its sentences quote the application.
fn without_token(reading: &Reading<'_>) -> Finding {
    let codes = reading.json_at("/error_codes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let known = |code: &Value| TOKEN_ERRORS.iter().find(|(known, ..)| code.as_i64() == Some(*known));
    match codes.iter().find_map(known).filter(|_| reading.status().is_client_error()) {
        Some((code, kind, reason)) => {
            let mut finding = reading.finding(*kind, reason);
            finding.evidence.provider_code = Some(format!("AADSTS{code}"));
            finding
        }
        None => reading.grade(&[], "/access_token"),
    }
}

async fn subscriptions(base: &Url, token: &ProviderSecret, http: &GuardedClient) -> Result<Answer, GuardError> {
    let mut url = join(base, "/subscriptions");
    url.query_pairs_mut().append_pair("api-version", "2022-12-01");
    auth::ask(http, AuthStyle::Bearer, Method::GET, url, token).await
}

fn ids<'a>(reading: &'a Reading<'_>) -> Option<Vec<&'a str>> {
    let list = reading.json_at("/value")?.as_array()?;
    Some(list.iter().filter_map(|subscription| subscription.get("subscriptionId")?.as_str()).collect())
}

fn judge(answer: &Answer, app: &Application, token: &ProviderSecret) -> Finding {
    let reading = Reading::new(answer, token);
    let Some(ids) = ids(&reading).filter(|_| answer.status.is_success()) else { return reading.grade(&[], "/value") };
    // A list that goes on may have it on a later page.
    let all = reading.json_at("/nextLink").is_none_or(Value::is_null);
    let lacks = |id: &String| all && !ids.iter().any(|listed| listed.eq_ignore_ascii_case(id));
    if ids.is_empty() || app.subscription_id.as_ref().is_some_and(lacks) {
        return reading.finding(VerdictKind::Restricted, NO_ROLE);
    }
    reading.finding(VerdictKind::Valid, "Azure accepts the credential")
}

#[async_trait]
impl Provider for Azure {
    fn check_format(&self, credentials: &ProviderSecret) -> Result<KeyFacts, FormatError> {
        let app = Application::parse(credentials)?;
        Ok(KeyFacts { hint: app.client_id, family: KeyFamily::Admin })
    }

    async fn probe(&self, target: Target<'_>, http: &GuardedClient) -> Finding {
        let app = match Application::parse(target.secret) {
            Ok(app) => app,
            Err(error) => return credential_fields::unreadable(error),
        };
        let token = match self.token(target.base_url, &app, http).await {
            Ok(token) => token,
            Err(finding) => return finding,
        };
        match subscriptions(target.base_url, &token, http).await {
            Ok(answer) => judge(&answer, &app, &token),
            Err(error) => grade::no_answer(error),
        }
    }

    fn usage_sources(&self, _: KeyFamily) -> Result<&'static [&'static str], FetchError> {
        Ok(usage::SOURCES)
    }

    fn renewed_every(&self, _: &str) -> Duration {
        usage::INTERVAL
    }

    async fn usage_page(&self, UsageCall { target, query, http }: UsageCall<'_>) -> Result<UsagePage, FetchError> {
        let app = Application::parse(target.secret).map_err(|_| FetchError::Refused)?;
        let body = usage::question(query)?;
        let token = self.token(target.base_url, &app, http).await.map_err(|finding| cloud::without_token(&finding))?;
        let subscription = self.subscription(target.base_url, &app, &token, http).await?;
        let url = usage::url(target.base_url, &subscription, query);
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        auth::bearer(&mut headers, &token).map_err(|_| FetchError::BadAnswer)?;
        let question = Question { method: Method::POST, url, headers, body: Bytes::from(body) };
        usage::read(&http.ask(question).await?, &token, target.base_url, query)
    }
}
