//! Addresses that a scene may refer to: https, at hosts that the tenant allows. Nothing is fetched here or by any server.

use url::{Host, Url};

/// Hosts that a tenant allows, as `host` or `host:port`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedHosts(Vec<String>);

impl AllowedHosts {
    /// Returns the allowed hosts.
    #[must_use]
    pub fn new(hosts: impl IntoIterator<Item = String>) -> Self {
        Self(hosts.into_iter().collect())
    }

    /// Returns `true` for a text that names a host: a domain, with a port or without.
    #[must_use]
    pub fn is_host(text: &str) -> bool {
        let Ok(url) = Url::parse(&format!("https://{text}/")) else { return false };
        matches!(url.host(), Some(Host::Domain(_))) && host_of(&url) == text
    }

    /// Returns the reason why an address may not be referred to; `None`: it may.
    pub(crate) fn refusal(&self, address: &str) -> Option<&'static str> {
        let Ok(url) = Url::parse(address) else { return Some("must be a whole address that begins with https://") };
        if url.scheme() != "https" {
            return Some("must begin with https://");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Some("must have neither a user nor a password");
        }
        let is_allowed = matches!(url.host(), Some(Host::Domain(_))) && self.0.contains(&host_of(&url));
        (!is_allowed).then_some("is at a host that is not allowed; allow it in `scene_hosts` of PUT /api/v1/modules")
    }
}

fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_at_hosts_of_the_list() {
        let hosts = AllowedHosts::new(["cdn.example.com".to_owned(), "x.example.com:8443".to_owned()]);
        for good in ["https://cdn.example.com/a.bin", "https://CDN.example.com:443/a", "https://x.example.com:8443/"] {
            assert_eq!(hosts.refusal(good), None, "{good}");
        }
        for bad in [
            "http://cdn.example.com/a",
            "https://cdn.example.com:8443/a",
            "https://x.example.com/",
            "https://cdn.example.com.evil.org/",
            "https://u:p@cdn.example.com/",
            "https://u@cdn.example.com/",
            "https://169.254.169.254/latest",
            "https://[::1]/",
            "file:///etc/passwd",
            "//cdn.example.com/a",
            "a.bin",
            "javascript:alert(1)",
            "",
        ] {
            assert!(hosts.refusal(bad).is_some(), "{bad}");
        }
        for (text, expected) in [
            ("cdn.example.com", true),
            ("a.example:8443", true),
            ("a.example:443", false),
            ("10.0.0.1", false),
            ("a/b", false),
            ("", false),
            ("u@a.example", false),
            ("A.example", false),
        ] {
            assert_eq!(AllowedHosts::is_host(text), expected, "{text}");
        }
    }
}
