//! The form of a request's target and its host, checked before anything reads either: behind it a path is a path.
//!
//! Routers take for granted that a target has one; targets of other forms (a proxy's, a tunnel's) are none of ours.

use http::{HeaderValue, Method, Request, Version, header, uri::Scheme};

/// Reason why a request is for nobody here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misdirected {
    /// The method is for tunnels.
    Method,
    /// The target is neither a path nor a URL of HTTP with one.
    Target,
    /// The request has no host, several, or something else in its place.
    Host,
}

/// Checks that a request is for a path of one host.
///
/// # Errors
/// [`Misdirected`].
pub fn check_target<B>(request: &Request<B>) -> Result<(), Misdirected> {
    let uri = request.uri();
    if *request.method() == Method::CONNECT {
        return Err(Misdirected::Method);
    }
    let is_path = uri.path_and_query().is_some_and(|target| target.as_str().starts_with('/'));
    let is_http = uri.scheme().is_none_or(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS);
    let names_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    if !is_path || !is_http || names_user {
        return Err(Misdirected::Target);
    }
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        // HTTP/2 names it in the target, and HTTP/1.0 need not.
        (None, _) if request.version() != Version::HTTP_11 => Ok(()),
        (Some(host), None) if is_host(host) => Ok(()),
        _ => Err(Misdirected::Host),
    }
}

/// Returns `true` for a name or an address, with a port or without one.
fn is_host(value: &HeaderValue) -> bool {
    let Ok(text) = value.to_str() else { return false };
    let name = match text.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => text,
    };
    let holds = |text: &str, others: &[u8]| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte))
    };
    match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => holds(address, b":."),
        None => holds(name, b"-._~%!$&'()*+,;="),
    }
}

#[cfg(test)]
mod tests {
    use http::Uri;

    use super::*;

    fn request(method: &str, target: &str) -> Option<Request<()>> {
        let (mut request, method) = (Request::new(()), Method::from_bytes(method.as_bytes()).ok()?);
        (*request.method_mut(), *request.uri_mut()) = (method, Uri::try_from(target).ok()?);
        request.headers_mut().insert(header::HOST, header::HeaderValue::from_static("keyway"));
        Some(request)
    }

    #[test]
    fn a_target_is_a_path_or_a_url_with_one() {
        use Misdirected::{Method, Target};
        for (method, target, expected) in [
            ("GET", "/", Ok(())),
            ("PURGE", "/proxy/openai/v1/x?y=z", Ok(())),
            ("GET", "http://keyway/api/v1/projects?limit=1", Ok(())),
            ("GET", "HTTPS://keyway:8080/", Ok(())),
            ("GET", "//keyway/x", Ok(())),
            ("GET", "http://keyway", Ok(())),
            ("GET", "http://keyway?x", Err(Target)),
            ("OPTIONS", "*", Err(Target)),
            ("GET", "*", Err(Target)),
            ("GET", "ftp://keyway/x", Err(Target)),
            ("GET", "http://kw_live_x@keyway/x", Err(Target)),
            ("CONNECT", "keyway:443", Err(Method)),
            ("CONNECT", "/", Err(Method)),
        ] {
            let request = request(method, target).expect("a target that the types take");
            assert_eq!(check_target(&request), expected, "{method} {target}");
        }
    }

    #[test]
    fn a_request_has_one_host_where_its_version_wants_one() {
        use Misdirected::Host;
        for (version, expected) in [
            (Version::HTTP_10, [Ok(()), Ok(()), Err(Host)]),
            (Version::HTTP_11, [Err(Host), Ok(()), Err(Host)]),
            (Version::HTTP_2, [Ok(()), Ok(()), Err(Host)]),
        ] {
            for (count, expected) in expected.into_iter().enumerate() {
                let mut request = Request::new(());
                *request.version_mut() = version;
                for _ in 0..count {
                    request.headers_mut().append(header::HOST, header::HeaderValue::from_static("keyway"));
                }
                assert_eq!(check_target(&request), expected, "{version:?} with {count}");
            }
        }
    }
    #[test]
    fn a_host_is_a_name_or_an_address() {
        for (host, expected) in [
            ("keyway", true),
            ("keyway.example:8080", true),
            ("my_keyway-1:", true),
            ("192.0.2.1:80", true),
            ("[2001:db8::1]", true),
            ("[::1]:8080", true),
            ("", false),
            (":80", false),
            ("::1", false),
            ("[]", false),
            ("[::1", false),
            ("keyway:http", false),
            ("keyway:80:80", false),
            ("a@keyway", false),
            ("keyway/x", false),
            ("keyway keyway", false),
            ("http://keyway", false),
        ] {
            assert_eq!(is_host(&HeaderValue::from_static(host)), expected, "{host}");
        }
        assert!(!is_host(&HeaderValue::from_bytes(b"key\xe4").expect("a value")));
    }
}
