//! The session's cookie, and the check that a request that carries it comes from our own page.
//!
//! Over TLS the name begins with `__Host-`, which no other host can set. On plain http to this machine it cannot, as
//! browsers want `Secure` for that; anywhere else that name is never read.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use keyway_domain::{AuthFailure, AuthFailureKind};

use crate::{code::Code, error::ApiError};

/// Name over TLS.
pub(crate) const SECURE: &str = "__Host-keyway_session";
const PLAIN: &str = "keyway_session";
/// Name, over TLS and without, of what binds a sign-in at an identity provider to its browser.
const HANDSHAKE: (&str, &str) = ("__Host-keyway_oidc", "keyway_oidc");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Returns the session's token in the cookies of a request.
pub(crate) fn token(headers: &HeaderMap) -> Option<&str> {
    value_of(headers, name(headers))
}

/// Returns the text that binds a sign-in at an identity provider to this browser.
pub(crate) fn handshake(headers: &HeaderMap) -> Option<&str> {
    value_of(headers, handshake_name(headers))
}

/// Returns the header that binds a sign-in at an identity provider to this browser for so long. The provider's page
/// leads back here, so that it has to be sent with a visit from another site.
pub(crate) fn set_handshake(headers: &HeaderMap, text: &str, seconds: i64) -> Option<(HeaderName, HeaderValue)> {
    cookie(handshake_name(headers), text, "Lax", &format!("; Max-Age={seconds}"))
}

fn value_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(own, _)| *own == name).map(|(_, token)| token).filter(|token| !token.is_empty())
}

/// Returns the header that gives a browser the session; its end is kept by the server.
pub(crate) fn set(headers: &HeaderMap, token: &str) -> Option<(HeaderName, HeaderValue)> {
    made(headers, token, "")
}

/// Returns the header that takes the session from a browser.
pub(crate) fn clear(headers: &HeaderMap) -> Option<(HeaderName, HeaderValue)> {
    made(headers, "", "; Max-Age=0")
}

/// Returns the scheme of the address that browsers reach this host by.
pub(crate) fn scheme(host: &str) -> &'static str {
    if is_loopback(host) { "http" } else { "https" }
}

/// Refuses a request that changes something if another site's page may have sent it.
///
/// # Errors
/// 403 `cross_site`.
pub(crate) fn check_site(method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
    if method.is_safe() || is_same_site(headers) {
        return Ok(());
    }
    let message = "a request with the session's cookie must come from Keyway's own page: `Sec-Fetch-Site: same-origin`, or \
                   an `Origin` equal to the address; programs send the token as `Authorization: Bearer`";
    Err(ApiError::new(Code::CrossSite, message).failing(AuthFailure::of(AuthFailureKind::CrossSite)))
}

fn is_same_site(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return site == "same-origin";
    }
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let of = origin.and_then(|origin| origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://")));
    matches!((of, host), (Some(of), Some(host)) if of.eq_ignore_ascii_case(host))
}

fn made(headers: &HeaderMap, token: &str, end: &str) -> Option<(HeaderName, HeaderValue)> {
    cookie(name(headers), token, "Strict", end)
}

fn cookie(name: &str, text: &str, same_site: &str, end: &str) -> Option<(HeaderName, HeaderValue)> {
    let secure = if name.starts_with("__Host-") { "; Secure" } else { "" };
    let cookie = format!("{name}={text}; Path=/; HttpOnly; SameSite={same_site}{secure}{end}");
    let mut value = HeaderValue::try_from(cookie).ok()?;
    value.set_sensitive(true);
    Some((header::SET_COOKIE, value))
}

fn name(headers: &HeaderMap) -> &'static str {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok()).unwrap_or_default();
    if is_loopback(host) && !origin.starts_with("https://") { PLAIN } else { SECURE }
}

fn handshake_name(headers: &HeaderMap) -> &'static str {
    if name(headers) == SECURE { HANDSHAKE.0 } else { HANDSHAKE.1 }
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_cookie_of_a_host_is_its_own_and_secure_but_on_this_machine() {
        for (host, cookie, expected) in [
            ("keyway.example.org", "__Host-keyway_session=a", Some("a")),
            ("keyway.example.org", "keyway_session=a", None),
            ("localhost:8080", "x=y; keyway_session=a", Some("a")),
            ("127.0.0.1:8080", "keyway_session=a", Some("a")),
            ("[::1]:8080", "keyway_session=a", Some("a")),
            ("127.0.0.1.example.org", "keyway_session=a", None),
            ("localhost", "keyway_session=", None),
            ("localhost", "akeyway_session=a", None),
        ] {
            assert_eq!(token(&headers(&[("host", host), ("cookie", cookie)])), expected, "{host} {cookie}");
        }
        let (_, value) = set(&headers(&[("host", "keyway.example.org")]), "t").unwrap();
        assert_eq!(value, "__Host-keyway_session=t; Path=/; HttpOnly; SameSite=Strict; Secure");
        let (_, value) = clear(&headers(&[("host", "localhost:1")])).unwrap();
        assert_eq!(value, "keyway_session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    }

    #[test]
    fn only_our_own_page_changes_something_with_a_cookie() {
        for (pairs, expected) in [
            (&[("sec-fetch-site", "same-origin")][..], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", "https://keyway.example.org")], false),
            (&[("origin", "https://keyway.example.org")], true),
            (&[("origin", "https://keyway.example.org.evil.example")], false),
            (&[("origin", "null")], false),
            (&[], false),
        ] {
            let mut headers = headers(pairs);
            headers.insert(header::HOST, HeaderValue::from_static("keyway.example.org"));
            assert_eq!(check_site(&Method::POST, &headers).is_ok(), expected, "{pairs:?}");
            assert!(check_site(&Method::GET, &headers).is_ok());
        }
    }
}
