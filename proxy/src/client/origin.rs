//! Where a provider is called: scheme, host and port. Connections are kept by it.

use http::{
    HeaderValue, Uri,
    uri::{Authority, PathAndQuery, Scheme},
};

/// An origin.
pub(crate) struct Origin {
    scheme: Scheme,
    authority: Authority,
    host: HeaderValue,
    text: String,
}

impl Origin {
    /// From the beginning of a URL: `https://api.example.com`.
    pub(crate) fn parse(root: &str) -> Option<Self> {
        let (scheme, authority) = root.split_once("://")?;
        Some(Self {
            scheme: Scheme::try_from(scheme).ok()?,
            authority: Authority::try_from(authority).ok()?,
            host: HeaderValue::try_from(authority).ok()?,
            text: root.to_owned(),
        })
    }

    /// As it was parsed.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The value of the header that names it.
    pub(crate) const fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// Its URI without a path.
    pub(crate) fn root(&self) -> Uri {
        self.uri(PathAndQuery::from_static("/"))
    }

    /// The URI of something at it.
    pub(crate) fn uri(&self, target: PathAndQuery) -> Uri {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(target);
        // With all three parts there is nothing to refuse.
        Uri::from_parts(parts).unwrap_or_default()
    }
}
