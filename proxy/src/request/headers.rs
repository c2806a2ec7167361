//! Headers that pass, in both directions. Hop-by-hop headers end here, the caller's key and cookies never reach a
//! provider, and the provider's key never reaches the caller.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use keyway_domain::IntegrationId;
use keyway_providers::is_secret;
use keyway_vault::ProviderSecret;

use super::{caller::KEY_HEADERS, cors};
use crate::refusal::{Code, Refusal};

/// Id of the request, on every answer of the proxy; the key of its row in the metered ledger.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-keyway-request-id");
/// On an answer of a provider: the integration that served. In a request: the integration to use.
pub(crate) const INTEGRATION: HeaderName = HeaderName::from_static("x-keyway-integration");

/// Source of the secret, on every answer of a provider: `own`, or `fallback` for the operator's.
pub(crate) const CREDENTIAL: HeaderName = HeaderName::from_static("x-keyway-credential");
/// In a request: `off` forbids the operator's key.
const FALLBACK: HeaderName = HeaderName::from_static("x-keyway-fallback");
/// Headers that name an account at OpenAI, which mean nothing to other providers.
const ACCOUNT: [HeaderName; 2] =
    [HeaderName::from_static("openai-organization"), HeaderName::from_static("openai-project")];

/// Attempts, on an answer for which more than one integration was asked: each with its outcome, in order.
pub(crate) const ATTEMPTS: HeaderName = HeaderName::from_static("x-keyway-attempts");

/// Hop-by-hop headers, from RFC 9110 7.6.1 and practice.
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// The integration the caller insists on.
pub(crate) fn pinned(headers: &HeaderMap) -> Result<Option<IntegrationId>, Refusal> {
    let Some(value) = headers.get(INTEGRATION) else { return Ok(None) };
    let id = value.to_str().ok().and_then(|text| text.parse().ok());
    id.map(Some).ok_or_else(|| {
        Refusal::new(Code::BadHeader, "x-keyway-integration must be the id of an integration of the project: int_...")
    })
}

/// Returns `true` if the caller permits the operator's key, should the project's own integrations not serve the call.
pub(crate) fn allows_fallback(headers: &HeaderMap) -> Result<bool, Refusal> {
    match headers.get(FALLBACK).map(|value| value.as_bytes().trim_ascii()) {
        None => Ok(true),
        Some(word) if word.eq_ignore_ascii_case(b"off") => Ok(false),
        Some(_) => Err(Refusal::new(Code::BadHeader, "x-keyway-fallback must be off, or left out")),
    }
}

/// Drops headers of the caller's own account from a cleaned request.
pub(crate) fn forget_account(headers: &mut HeaderMap) {
    for name in &ACCOUNT {
        headers.remove(name);
    }
}

/// Drops headers that are not for the provider from a request.
pub(crate) fn clean_request(headers: &mut HeaderMap) {
    drop_hop_by_hop(headers);
    for name in &KEY_HEADERS {
        headers.remove(name);
    }
    headers.remove(header::HOST);
    // The client's length is set anew from the body that is really sent.
    headers.remove(header::CONTENT_LENGTH);
    drop_matching(headers, |name, _| is_private_request_header(name.as_str()));
}

/// Headers that tell of a trace, and of nothing that an answer depends on (W3C Trace Context). Each call has others.
const TRACE: [&str; 2] = ["traceparent", "tracestate"];

/// Returns the headers of a request that its answer may depend on, by name: each that passes to the provider but those of
/// a trace, and the choice of the integration. The values of one are joined as RFC 9110 5.3 has it.
pub(crate) fn telling(headers: &HeaderMap) -> BTreeMap<String, Vec<u8>> {
    let mut passing = headers.clone();
    clean_request(&mut passing);
    if let Some(pinned) = headers.get(INTEGRATION) {
        passing.insert(INTEGRATION, pinned.clone());
    }
    let joined = |name| passing.get_all(name).iter().map(HeaderValue::as_bytes).collect::<Vec<_>>().join(&b", "[..]);
    let telling = passing.keys().filter(|name| !TRACE.contains(&name.as_str()));
    telling.map(|name| (name.to_string(), joined(name))).collect()
}

/// Drops headers that are not for the caller from a response, and every header whose value contains the secret.
pub(crate) fn clean_response(headers: &mut HeaderMap, secret: &ProviderSecret) {
    // Searched for in the headers, so that it does not leave in one.
    let secret = secret.expose().as_bytes();
    drop_hop_by_hop(headers);
    let finder = memchr::memmem::Finder::new(secret);
    drop_matching(headers, |header, value| {
        let name = header.as_str();
        cors::is_providers_own(header)
            || matches!(
                name,
                "set-cookie"
                    | "set-cookie2"
                    | "alt-svc"
                    | "strict-transport-security"
                    | "clear-site-data"
                    | "content-security-policy"
                    | "content-security-policy-report-only"
            )
            || name.starts_with("x-keyway-")
            || (is_secret(secret) && finder.find(value.as_bytes()).is_some())
    });
}

fn is_private_request_header(name: &str) -> bool {
    match name.as_bytes().first() {
        // What an application tells its own services of a request is none of a provider's business.
        Some(b'b') => name == "baggage",
        Some(b'c') => name == "cookie" || name == "cookie2" || name == "cf-connecting-ip" || name == "cdn-loop",
        Some(b'e') => name == "expect",
        Some(b'f') => name == "forwarded",
        Some(b'h') => name == "http2-settings",
        Some(b'm') => name == "metadata" || name == "metadata-flavor",
        Some(b'o') => name == "origin",
        Some(b'p') => name.starts_with("proxy-"),
        Some(b'r') => name == "referer",
        Some(b't') => name == "true-client-ip" || name == "tracestate",
        Some(b'v') => name == "via",
        Some(b'x') => [
            "x-forwarded",
            "x-real-ip",
            "x-client-ip",
            "x-original-",
            "x-keyway-",
            "x-aws-ec2-metadata",
            "x-google-metadata",
            "x-envoy-",
        ]
        .iter()
        .any(|prefix| name.starts_with(prefix)),
        _ => false,
    }
}

fn drop_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(header::CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|name| name.trim().parse().ok())
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

fn drop_matching(headers: &mut HeaderMap, unwanted: impl Fn(&HeaderName, &HeaderValue) -> bool) {
    let names: Vec<HeaderName> =
        headers.iter().filter(|(name, value)| unwanted(name, value)).map(|(name, _)| name.clone()).collect();
    for name in names {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_request_loses_keys_cookies_origin_and_connection_headers_only() {
        let mut headers = map(&[
            ("authorization", "Bearer kw_live_x"),
            ("x-api-key", "k"),
            ("api-key", "k"),
            ("x-goog-api-key", "k"),
            ("cookie", "s=1"),
            ("host", "keyway"),
            ("content-length", "3"),
            ("connection", "close, X-Trick"),
            ("connection", "x-second"),
            ("x-trick", "1"),
            ("x-second", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-authorization", "Basic x"),
            ("te", "trailers"),
            ("trailer", "x"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-host", "evil"),
            ("forwarded", "for=1"),
            ("x-real-ip", "1.2.3.4"),
            ("metadata-flavor", "Google"),
            ("x-aws-ec2-metadata-token", "t"),
            ("x-keyway-integration", "int_x"),
            ("expect", "100-continue"),
            ("baggage", "user=7"),
            ("tracestate", "vendor=1"),
            ("content-type", "application/json"),
            ("openai-beta", "assistants=v2"),
            ("anthropic-version", "2023-06-01"),
            ("x-stainless-lang", "python"),
            ("idempotency-key", "1"),
            ("user-agent", "x"),
        ]);
        clean_request(&mut headers);
        assert_eq!(
            names(&headers),
            ["anthropic-version", "content-type", "idempotency-key", "openai-beta", "user-agent", "x-stainless-lang"]
        );
    }

    #[test]
    fn a_response_loses_cookies_and_every_echo_of_the_secret() {
        let mut headers = map(&[
            ("x-request-id", "req_1"),
            ("retry-after-ms", "20"),
            ("x-ratelimit-remaining-requests", "9"),
            ("set-cookie", "__cf=1"),
            ("content-security-policy", "script-src *"),
            ("connection", "keep-alive, x-hop"),
            ("x-hop", "1"),
            ("authorization", "Bearer sk-secret"),
            ("x-echo", "your key is 'sk-secret'."),
            ("x-keyway-error", "fake"),
            ("access-control-allow-origin", "https://provider.dev"),
            ("content-length", "5"),
        ]);
        clean_response(&mut headers, &ProviderSecret::new("sk-secret".to_owned()));
        assert_eq!(
            names(&headers),
            ["content-length", "retry-after-ms", "x-ratelimit-remaining-requests", "x-request-id"]
        );
    }
}
