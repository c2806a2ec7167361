//! Web pages that may call the proxy (WHATWG Fetch, "CORS protocol"). A virtual key is sent by the page itself, never
//! by the browser on its own, so a page without one can do nothing, whatever its origin.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};

/// Seconds for which a browser may cache a preflight; no browser caches it longer.
const REMEMBERED_SECONDS: HeaderValue = HeaderValue::from_static("7200");
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
const ANY: HeaderValue = HeaderValue::from_static("*");

/// Origins whose pages may call.
#[derive(Clone, Debug, Default)]
pub enum CorsOrigins {
    /// Any origin.
    #[default]
    Any,
    /// These origins, like `https://app.example.com`; an empty list permits none.
    Listed(Vec<String>),
}

impl CorsOrigins {
    /// Returns the answer to a preflight request; `None` for other requests.
    pub(crate) fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<Response<Bytes>> {
        if *method != Method::OPTIONS || !headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
            return None;
        }
        let origin = self.allowed(headers)?;
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let told = response.headers_mut();
        // A star does not mean the header in which keys are sent.
        let asked = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
        told.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.unwrap_or(ANY));
        told.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        told.insert(header::ACCESS_CONTROL_MAX_AGE, REMEMBERED_SECONDS);
        self.mark(&origin, told);
        Some(response)
    }

    /// Returns the origin of the calling page, if permitted.
    pub(crate) fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        let is_allowed = match self {
            Self::Any => true,
            Self::Listed(origins) => origins.iter().any(|it| it.as_bytes().eq_ignore_ascii_case(origin.as_bytes())),
        };
        is_allowed.then(|| origin.clone())
    }

    /// Permits pages of `origin` to read the answer.
    pub(crate) fn mark(&self, origin: &HeaderValue, headers: &mut HeaderMap) {
        let (said, depends) = match self {
            Self::Any => (ANY, false),
            Self::Listed(_) => (origin.clone(), true),
        };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, said);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, ANY);
        if depends {
            headers.append(header::VARY, HeaderValue::from_static("origin"));
        }
    }
}

/// Returns `true` for CORS headers of a provider's answer, which concern pages that call the provider itself.
pub(crate) fn is_providers_own(name: &HeaderName) -> bool {
    name.as_str().starts_with("access-control-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_browser_is_told_which_pages_may_call() {
        let listed = CorsOrigins::Listed(vec!["https://app.example.com".to_owned()]);
        let none = CorsOrigins::Listed(Vec::new());
        for (origins, origin, expected) in [
            (&CorsOrigins::Any, "http://localhost:5173", Some("*")),
            (&listed, "https://APP.example.com", Some("https://APP.example.com")),
            (&listed, "https://app.example.com.evil.dev", None),
            (&listed, "http://app.example.com", None),
            (&none, "http://localhost:5173", None),
        ] {
            let asked = headers(&[
                ("origin", origin),
                ("access-control-request-method", "POST"),
                ("access-control-request-headers", "authorization, content-type"),
            ]);
            let told = origins.preflight(&Method::OPTIONS, &asked);
            let said = |name: &str| told.as_ref().and_then(|it| it.headers().get(name)?.to_str().ok());
            assert_eq!(said("access-control-allow-origin"), expected, "{origin}");
            assert_eq!(said("access-control-allow-headers").is_some(), expected.is_some(), "{origin}");
            assert_eq!(said("vary").is_some(), expected.is_some_and(|it| it != "*"), "{origin}");
        }
        let plain = headers(&[("origin", "http://localhost")]);
        assert!(CorsOrigins::Any.preflight(&Method::OPTIONS, &plain).is_none());
        assert!(CorsOrigins::Any.preflight(&Method::POST, &plain).is_none());
        assert!(CorsOrigins::Any.allowed(&HeaderMap::new()).is_none());
    }
}
