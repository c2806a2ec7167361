//! The origin of a provider: scheme, host and port. Connections are pooled by it.

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
    /// Parses the beginning of a URL: `https://api.example.com`.
    pub(crate) fn parse(root: &str) -> Option<Self> {
        let (scheme, authority) = root.split_once("://")?;
        Some(Self {
            scheme: Scheme::try_from(scheme).ok()?,
            authority: Authority::try_from(authority).ok()?,
            host: HeaderValue::try_from(authority).ok()?,
            text: root.to_owned(),
        })
    }

    /// Returns the parsed text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the value of the `host` header.
    pub(crate) const fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// Returns its URI without a path.
    pub(crate) fn root(&self) -> Uri {
        self.uri(PathAndQuery::from_static("/"))
    }

    /// Returns the URI of a path at it.
    pub(crate) fn uri(&self, target: PathAndQuery) -> Uri {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(target);
        // With all three parts there is nothing to refuse.
        Uri::from_parts(parts).unwrap_or_default()
    }
}
