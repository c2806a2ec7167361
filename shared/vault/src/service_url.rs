//! The URL of a service, which holds a password: taken apart without ever being quoted.
//!
//! Stricter than common URL parsers: an ambiguous URL, such as one with a bare `/ ? # @` in its password, is a fault
//! that says what to write instead. No message repeats any part of the URL.

use std::net::IpAddr;

use crate::SecretString;

/// A fault of a URL, as a sentence that says what to write and quotes nothing of the URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UrlFault(pub &'static str);

const ENCODE: UrlFault = UrlFault(
    "what stands between :// and the host, or after the host, is ambiguous; in a user name or password write / as %2F, \
     ? as %3F, # as %23, @ as %40 and a blank as %20",
);
const HOST: UrlFault = UrlFault(
    "a host or port in it is none: it must be scheme://user:password@host:port/name, several hosts with commas between \
     them; in a user name or password write / as %2F, ? as %3F, # as %23, @ as %40",
);

/// A host with its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Name or address; IPv6 in brackets. Empty for a socket of this machine.
    pub name: String,
    /// Port, if the URL names one.
    pub port: Option<u16>,
}

/// A URL in its parts.
#[derive(Debug)]
pub struct ServiceUrl {
    /// Scheme: `postgres`, `amqps`, ...
    pub scheme: String,
    /// Hosts; at least one.
    pub hosts: Vec<Host>,
    /// Path after the hosts as written, without its first slash.
    pub path: String,
    /// `user:password` as written.
    login: Option<SecretString>,
    /// Names and values of the query as written.
    query: Vec<(String, SecretString)>,
}

impl Host {
    /// Returns `true` if the host is this machine: a socket, `localhost` or a loopback address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let name = self.name.trim_matches(['[', ']']);
        let is_socket = name.is_empty()
            || name.starts_with('/')
            || name.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("%2f"));
        is_socket
            || name.eq_ignore_ascii_case("localhost")
            || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }

    fn parse(text: &str) -> Result<Self, UrlFault> {
        let end = text.rfind(']').map_or(0, |at| at + 1);
        let (name, port) = match text[end..].find(':') {
            Some(at) => (&text[..end + at], Some(text[end + at + 1..].parse().map_err(|_| HOST)?)),
            None => (text, None),
        };
        let inner = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let is_host = match inner {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._%".contains(&byte)),
        };
        if is_host { Ok(Self { name: name.to_owned(), port }) } else { Err(HOST) }
    }
}

impl ServiceUrl {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// [`UrlFault`] if the text is no URL, or can be read in more than one way.
    pub fn parse(text: &str) -> Result<Self, UrlFault> {
        let (scheme, rest) = text.split_once("://").ok_or(UrlFault("it must be a URL, with :// behind its scheme"))?;
        if rest.contains(|sign: char| sign == '#' || sign.is_whitespace() || sign.is_control()) {
            return Err(ENCODE);
        }
        let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if tail.contains('@') {
            return Err(ENCODE);
        }
        let (login, hosts) = match authority.rsplit_once('@') {
            Some((login, _)) if login.contains('@') => return Err(ENCODE),
            Some((login, hosts)) => (Some(login.to_owned().into()), hosts),
            None => (None, authority),
        };
        let hosts: Vec<_> = hosts.split(',').map(Host::parse).collect::<Result<_, _>>()?;
        if hosts.len() > 1 && hosts.iter().any(|host| host.name.is_empty()) {
            return Err(HOST);
        }
        let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
        let pair = |text: &str| {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            (name.to_owned(), SecretString::from(value.to_owned()))
        };
        Ok(Self {
            scheme: scheme.to_owned(),
            hosts,
            path: path.trim_start_matches('/').to_owned(),
            login,
            query: query.split('&').filter(|text| !text.is_empty()).map(pair).collect(),
        })
    }

    /// Returns `user:password` as written.
    pub(crate) const fn login(&self) -> Option<&SecretString> {
        self.login.as_ref()
    }

    /// Returns the value, as written, of the last parameter with one of these names.
    #[must_use]
    pub fn parameter(&self, names: &[&str]) -> Option<&str> {
        let found = self.query.iter().rev().find(|(name, _)| names.contains(&name.as_str()));
        found.map(|(_, value)| value.plain().as_str())
    }

    /// Returns the names of the parameters.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.query.iter().map(|(name, _)| name.as_str())
    }

    /// Builds the URL of one host alone, with the parameters that `keeps` accepts and with those of `more`.
    #[must_use]
    pub fn of(&self, host: &Host, keeps: impl Fn(&str) -> bool, more: &[(&str, &str)]) -> SecretString {
        let mut url = format!("{}://", self.scheme);
        if let Some(login) = &self.login {
            url.push_str(login.plain());
            url.push('@');
        }
        url.push_str(&host.name);
        if let Some(port) = host.port {
            url.push_str(&format!(":{port}"));
        }
        url.push('/');
        url.push_str(&self.path);
        let kept = self.query.iter().map(|(name, value)| (name.as_str(), value.plain().as_str()));
        let all = kept.filter(|(name, _)| keeps(name)).chain(more.iter().copied());
        for (index, (name, value)) in all.enumerate() {
            url.push(if index == 0 { '?' } else { '&' });
            url.push_str(name);
            url.push('=');
            url.push_str(value);
        }
        url.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_and_put_together_for_each_host() {
        let url = ServiceUrl::parse("postgres://u:p%2F%40@h1:5433,[::1]/db?sslmode=require&x=1").unwrap();
        assert_eq!((url.scheme.as_str(), url.path.as_str(), url.hosts.len()), ("postgres", "db", 2));
        assert_eq!((url.hosts[0].port, url.hosts[1].is_loopback()), (Some(5433), true));
        assert_eq!(url.parameter(&["sslmode"]), Some("require"));
        let one = url.of(&url.hosts[0], |name| name != "x", &[("y", "2")]);
        assert_eq!(one.plain(), "postgres://u:p%2F%40@h1:5433/db?sslmode=require&y=2");
        assert_eq!(url.of(&url.hosts[1], |_| false, &[]).plain(), "postgres://u:p%2F%40@[::1]/db");
        assert!(!format!("{url:?}").contains("p%2F"), "the password is not shown");
    }

    #[test]
    fn what_has_two_readings_is_refused_without_being_quoted() {
        for url in [
            "postgres://keyway:S3CRET/pw#1@h/db",
            "postgres://keyway:S3CRET/pw@h/db",
            "postgres://keyway:12/S3CRET@h/db",
            "postgres://keyway:S3CRET?pw@h/db",
            "postgres://keyway:S3CRET#pw@h/db",
            "postgres://keyway:S3C@RET@h/db",
            "postgres://keyway:S3C RET@h/db",
            "postgres://keyway:S3CRET@h/db?password=S3C@RET",
            "postgres://keyway:S3CRET",
            "postgres://keyway:S3CRET@h:S3CRET/db",
            "postgres://keyway:S3CRET@h1,,h2/db",
            "postgres://keyway:S3CRET@h1:99999/db",
            "postgres://keyway:S3CRET@[S3CRET]/db",
            "postgres:S3CRET",
            "S3CRET",
        ] {
            let fault = ServiceUrl::parse(url).unwrap_err();
            assert!(!fault.to_string().contains("S3C") && fault.to_string().len() > 20, "{url}: {fault}");
        }
    }

    #[test]
    fn this_machine_has_many_names() {
        let is_loopback = |name: &str| Host { name: name.to_owned(), port: None }.is_loopback();
        for name in ["", "localhost", "127.0.0.1", "127.9.9.9", "[::1]", "%2Fvar%2Frun", "/var/run"] {
            assert!(is_loopback(name), "{name}");
        }
        for name in ["db", "10.0.0.1", "localhost.example", "[fd00::1]"] {
            assert!(!is_loopback(name), "{name}");
        }
    }
}
