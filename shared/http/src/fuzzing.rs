//! Properties of what reads a stranger's request line, for tests and for `make fuzz`.

use http::{HeaderValue, Method, Request, Uri, Version, header};

use crate::check_target;

/// Checks that whatever is let through has a path, as routers take for granted. An input is a request line without its
/// version, and the number of hosts in front of it.
///
/// # Panics
/// Something without a path is let through.
pub fn request_line(input: &[u8]) {
    let Some((hosts, line)) = input.split_first() else { return };
    let Some(at) = line.iter().position(|byte| *byte == b' ') else { return };
    let (Ok(method), Ok(uri)) = (Method::from_bytes(&line[..at]), Uri::try_from(&line[at + 1..])) else { return };
    let mut request = Request::new(());
    (*request.method_mut(), *request.uri_mut()) = (method, uri);
    let hosts = hosts % 3;
    for _ in 0..hosts {
        request.headers_mut().append(header::HOST, HeaderValue::from_static("keyway"));
    }
    for version in [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2] {
        *request.version_mut() = version;
        if check_target(&request).is_err() {
            continue;
        }
        let uri = request.uri();
        let target = uri.path_and_query().map(|target| target.as_str().to_owned());
        assert!(target.is_some_and(|target| target.starts_with('/')), "no path: {uri}");
        assert!(uri.path().starts_with('/') && *request.method() != Method::CONNECT, "{uri}");
        assert!(hosts == 1 || hosts == 0 && version != Version::HTTP_11, "{hosts} hosts");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    const LINES: &str = "(GET|OPTIONS|CONNECT|X|) \
        (http://|https://|ftp://|://|/|//|\\*|\\?|#|:|@|a|keyway|\\[::1\\]|:80|%00|%2f|é|\\\\|\\{){0,6}";

    proptest! {
        #[test]
        fn whatever_is_let_through_has_a_path(hosts in 0u8..3, line in LINES) {
            super::request_line(&[&[hosts], line.as_bytes()].concat());
        }
    }
}
