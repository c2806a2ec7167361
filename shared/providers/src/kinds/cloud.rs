//! Code shared by clouds: several hosts, and a credential that is exchanged for an access token. A token is fetched for
//! each use and kept nowhere; no URL of a credential or an answer is ever followed.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use keyway_domain::VerdictKind;
use keyway_vault::ProviderSecret;
use serde::Deserialize;
use url::{Url, form_urlencoded};

use crate::{
    FetchError, Finding, GuardError, GuardedClient, ProviderSpec,
    guard::{Answer, Question},
};

/// Returns the URL for calls to the cloud's host `own`: that host, if the integration is bound to the catalog's base
/// URL; else the host it is bound to.
pub(crate) fn host(spec: &ProviderSpec, base: &Url, own: &str) -> Result<Url, GuardError> {
    if *base != spec.base_url {
        return Ok(base.clone());
    }
    Url::parse(&format!("https://{own}"))
        .map_err(|_| GuardError::Refused("this is no host; enter the credential again"))
}

/// Posts a form to a token endpoint.
pub(crate) async fn exchange(http: &GuardedClient, url: Url, form: &[(&str, &str)]) -> Result<Answer, GuardError> {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    http.ask(Question { method: Method::POST, url, headers, body: Bytes::from(body) }).await
}

/// Returns the access token in an answer to [`exchange`], if it has one.
pub(crate) fn access_token(answer: &Answer) -> Option<ProviderSecret> {
    #[derive(Deserialize)]
    struct Granted {
        access_token: ProviderSecret,
    }
    let granted = answer.status.is_success().then(|| serde_json::from_slice::<Granted>(&answer.body));
    granted?.ok().map(|granted| granted.access_token).filter(|token| !token.is_empty())
}

/// Returns the error of a fetch for which no token was issued. The next verification says why the credential was
/// refused.
pub(crate) const fn without_token(finding: &Finding) -> FetchError {
    match (finding.kind, finding.evidence.http_status) {
        (VerdictKind::RateLimited, _) => FetchError::RateLimited { retry_after: finding.retry_after },
        (VerdictKind::Invalid, _) | (_, Some(400..=499)) => FetchError::Refused,
        (_, Some(200..=299)) => FetchError::BadAnswer,
        _ => FetchError::Unreachable,
    }
}
