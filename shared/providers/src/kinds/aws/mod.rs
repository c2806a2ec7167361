//! AWS: an access key, tried at the Security Token Service, whose account's costs Cost Explorer
//! reports. Requests are signed; the secret itself is never sent. Nothing is called with it through
//! the proxy.

mod sigv4;
mod usage;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use keyway_domain::{KeyFamily, Timestamp, VerdictKind};
use keyway_vault::{ProviderSecret, SecretString};
use url::Url;

use super::{
    cloud,
    credential_fields::{self, Fields},
};
use crate::{
    FetchError, Finding, FormatError, GuardError, GuardedClient, KeyFacts, Provider, ProviderSpec, Target, UsageCall,
    UsagePage, auth,
    catalog::join,
    grade::{self, Reading},
    guard::{Answer, Question},
};
use sigv4::Signer;

const FORM: &str = "`access_key_id` and `secret_access_key`, with `session_token` for a temporary key, and `region`";
const DEFAULT_REGION: &str = "us-east-1";
/// JSON pointer to the account in an answer of STS, which is JSON on request; some stand-ins answer in XML.
const ACCOUNT: &str = "/GetCallerIdentityResponse/GetCallerIdentityResult/Account";

/// AWS as a provider.
pub(crate) struct Aws {
    spec: ProviderSpec,
}

/// A parsed credential.
pub(crate) struct AccessKey {
    id: String,
    secret: SecretString,
    session: Option<SecretString>,
    region: String,
}

/// A call to be signed; its parameters are all in the body.
pub(crate) struct Call {
    /// Name of the service in its host and in the signature.
    pub(crate) service: &'static str,
    /// Content type of the body.
    pub(crate) content_type: &'static str,
    /// Operation, if the body does not name it.
    pub(crate) operation: Option<&'static str>,
    /// The body.
    pub(crate) body: Bytes,
}

/// Reason why AWS refused a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The access key id does not exist or is inactive.
    UnknownKey,
    /// The secret does not match the id.
    WrongSecret,
    /// The session of a temporary key has ended.
    SessionOver,
    /// The signature's time differs from now: our clock is wrong, not the key.
    Clock,
    /// Too many calls.
    Throttled,
    /// The key lacks the permission.
    Denied,
}

/// AWS's codes, of the XML and of the JSON protocols, that say something about the key.
const REFUSALS: &[(&str, Refusal)] = &[
    ("AccessDenied", Refusal::Denied),
    ("AccessDeniedException", Refusal::Denied),
    ("ExpiredToken", Refusal::SessionOver),
    ("ExpiredTokenException", Refusal::SessionOver),
    ("InvalidClientTokenId", Refusal::UnknownKey),
    ("InvalidSignatureException", Refusal::WrongSecret),
    ("LimitExceededException", Refusal::Throttled),
    ("RequestExpired", Refusal::Clock),
    ("RequestLimitExceeded", Refusal::Throttled),
    ("SignatureDoesNotMatch", Refusal::WrongSecret),
    ("Throttling", Refusal::Throttled),
    ("ThrottlingException", Refusal::Throttled),
    ("UnrecognizedClientException", Refusal::UnknownKey),
];

impl Aws {
    pub(crate) fn new(spec: &ProviderSpec) -> Self {
        Self { spec: spec.clone() }
    }

    /// Signs and sends a call: to the service's own host, unless the integration names another.
    async fn ask(&self, base: &Url, key: &AccessKey, call: Call, http: &GuardedClient) -> Result<Answer, GuardError> {
        let (region, suffix) = key.place_of(call.service);
        let host = cloud::host(&self.spec, base, &format!("{}.{region}.{suffix}", call.service))?;
        let url = join(&host, "/");
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(call.content_type));
        if let Some(operation) = call.operation {
            headers.insert(HeaderName::from_static("x-amz-target"), HeaderValue::from_static(operation));
        }
        let mut question = Question { method: Method::POST, url, headers, body: call.body };
        let signer = Signer {
            access_key_id: &key.id,
            secret_access_key: &key.secret,
            session_token: key.session.as_ref(),
            region,
            service: call.service,
        };
        signer.sign(&mut question, Timestamp::now()).map_err(|_| auth::unsendable())?;
        http.ask(question).await
    }
}

impl AccessKey {
    fn parse(credentials: &ProviderSecret) -> Result<Self, FormatError> {
        let fields = Fields::read(credentials, FORM)?;
        let id = fields.public(
            "access_key_id",
            is_access_key_id,
            "is not an access key id; one begins with AKIA, or ASIA if it is temporary, and 16 letters and digits follow",
        )?;
        let secret = fields.word("secret_access_key")?;
        if secret.plain().len() != 40 || !secret.plain().bytes().all(is_base64) {
            let problem = "is not a secret access key, which has 40 letters, digits, `/` and `+`; copy it again";
            return Err(FormatError::Field { field: "secret_access_key", problem });
        }
        let session = fields.optional_word("session_token")?;
        let problem = match (id.starts_with("ASIA"), session.is_some()) {
            (true, false) => Some("is missing; a temporary key (ASIA...) works only with its session token"),
            (false, true) => Some("belongs to a temporary key (ASIA...); leave it out or enter that key"),
            _ => None,
        };
        if let Some(problem) = problem {
            return Err(FormatError::Field { field: "session_token", problem });
        }
        let region = fields.optional_public("region", is_region, "is not a region's name like us-east-1")?;
        Ok(Self { id, secret, session, region: region.unwrap_or_else(|| DEFAULT_REGION.to_owned()) })
    }

    /// Returns the secret, only to redact it.
    pub(crate) const fn secret(&self) -> &SecretString {
        &self.secret
    }

    /// Returns the region to ask, and the domain of its hosts. It is the region of the partition that is always
    /// enabled: in any other, a key of an account that has not enabled the region seems not to exist. The credential's
    /// own region only selects the partition.
    fn place_of(&self, service: &str) -> (&'static str, &'static str) {
        match self.region.as_str() {
            region if region.starts_with("cn-") && service == usage::SERVICE => ("cn-northwest-1", "amazonaws.com.cn"),
            region if region.starts_with("cn-") => ("cn-north-1", "amazonaws.com.cn"),
            region if region.starts_with("us-gov-") => ("us-gov-west-1", "amazonaws.com"),
            _ => (DEFAULT_REGION, "amazonaws.com"),
        }
    }
}

fn is_access_key_id(id: &str) -> bool {
    let rest = id.strip_prefix("AKIA").or_else(|| id.strip_prefix("ASIA")).unwrap_or_default();
    (16..=124).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+' | b'=')
}

/// Returns `true` if the text is safe as a part of a host's name.
fn is_region(region: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (5..=32).contains(&region.len()) && region.bytes().all(plain) && region.contains('-') && !region.ends_with('-')
}

/// Returns the reason of a refusal, with AWS's code.
pub(crate) fn refusal(answer: &Answer, reading: &Reading<'_>) -> Option<(&'static str, Refusal)> {
    let json = |pointers: [&str; 3]| {
        let text = pointers.iter().find_map(|pointer| reading.json_at(pointer)?.as_str());
        text.map(str::to_owned)
    };
    let body = String::from_utf8_lossy(&answer.body);
    let code = json(["/__type", "/Error/Code", "/ErrorResponse/Error/Code"]).or_else(|| element(&body, "Code"))?;
    let code = code.rsplit_once('#').map_or(code.as_str(), |(_, code)| code);
    let (code, refusal) = *REFUSALS.iter().find(|(known, _)| *known == code)?;
    let of_time = body.contains("Signature expired") || body.contains("Signature not yet current");
    Some((code, if of_time && refusal == Refusal::WrongSecret { Refusal::Clock } else { refusal }))
}

/// Returns the text of the first XML element of that name; elements have no attributes here.
fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text.trim().to_owned())
}

fn judge(answer: &Answer, key: &AccessKey) -> Finding {
    let reading = Reading::new(answer, key.secret());
    let xml = || element(&String::from_utf8_lossy(&answer.body), "Account");
    let account = reading.json_at(ACCOUNT).and_then(|account| account.as_str()).map(str::to_owned).or_else(xml);
    let is_account = |account: String| account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    if answer.status.is_success() && account.is_some_and(is_account) {
        return reading.finding(VerdictKind::Valid, "AWS accepts the key");
    }
    let said = refusal(answer, &reading).filter(|_| answer.status.is_client_error());
    let Some((code, refusal)) = said else { return reading.grade(&[], ACCOUNT) };
    let (kind, reason) = match refusal {
        Refusal::UnknownKey => (
            VerdictKind::Invalid,
            "AWS knows no such access key id, or it is inactive; activate it or enter a new one (with `region` if it \
                 is of China or GovCloud)",
        ),
        Refusal::WrongSecret => {
            (VerdictKind::Invalid, "the secret access key is not that of the access key id; enter both again")
        }
        Refusal::SessionOver => {
            (VerdictKind::Invalid, "the session of this temporary key has ended; enter a new one, or a key that stays")
        }
        Refusal::Clock => {
            (VerdictKind::Unreachable, "AWS finds this machine's clock wrong, which says nothing about the key; set it")
        }
        Refusal::Throttled => (VerdictKind::RateLimited, "AWS asks to wait"),
        Refusal::Denied => return reading.grade(&[], ACCOUNT),
    };
    let mut finding = reading.finding(kind, reason);
    finding.evidence.provider_code = Some(code.to_owned());
    finding
}

#[async_trait]
impl Provider for Aws {
    fn check_format(&self, credentials: &ProviderSecret) -> Result<KeyFacts, FormatError> {
        let key = AccessKey::parse(credentials)?;
        Ok(KeyFacts { hint: key.id, family: KeyFamily::Admin })
    }

    async fn probe(&self, target: Target<'_>, http: &GuardedClient) -> Finding {
        let key = match AccessKey::parse(target.secret) {
            Ok(key) => key,
            Err(error) => return credential_fields::unreadable(error),
        };
        // Every key may ask who it is.
        let call = Call {
            service: "sts",
            content_type: "application/x-www-form-urlencoded; charset=utf-8",
            operation: None,
            body: Bytes::from_static(b"Action=GetCallerIdentity&Version=2011-06-15"),
        };
        match self.ask(target.base_url, &key, call, http).await {
            Ok(answer) => judge(&answer, &key),
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
        let key = AccessKey::parse(target.secret).map_err(|_| FetchError::Refused)?;
        let answer = self.ask(target.base_url, &key, usage::call(query)?, http).await?;
        usage::read(&answer, &key, query)
    }
}
