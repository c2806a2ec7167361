//! The rule: URLs that may be called, and addresses that a name may resolve to.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use url::{Host, Url};

use super::{GuardError, is_allowed, is_metadata};

/// The rule, with the hosts the operator trusts. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    trusted: Arc<HashMap<String, Ports>>,
}

#[derive(Clone, Debug)]
enum Ports {
    Any,
    Only(Vec<u16>),
}

const MAX_URL_CHARS: usize = 2048;

/// Domains of internal names, which are never public hosts.
const INNER_DOMAINS: &[&str] = &[
    "localhost",
    "local",
    "localdomain",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
    "home.arpa",
    "cluster.local",
    "svc",
    "onion",
    "invalid",
    "in-addr.arpa",
    "ip6.arpa",
];

/// Public domains whose names resolve to any address that is written into them.
const ADDRESS_DOMAINS: &[&str] = &[
    "nip.io",
    "sslip.io",
    "xip.io",
    "localtest.me",
    "lvh.me",
    "vcap.me",
    "lacolhost.com",
    "traefik.me",
    "local.gd",
    "localho.st",
    "backname.io",
    "1u.ms",
    "rbndr.us",
];

impl Guard {
    /// Builds the rule with these trusted hosts, each `host` or `host:port` (`[::1]:9100` for IPv6): they may be
    /// private and may speak plain http.
    ///
    /// # Errors
    /// [`GuardError::Setup`] if an entry is malformed.
    pub fn new(trusted: &[String]) -> Result<Self, GuardError> {
        let mut hosts: HashMap<String, Ports> = HashMap::new();
        for entry in trusted {
            let (host, port) = parse_trusted(entry)
                .ok_or(GuardError::Setup("a trusted upstream is `host` or `host:port`, without scheme and path"))?;
            let ports = hosts.entry(host).or_insert_with(|| Ports::Only(Vec::new()));
            match (port, &mut *ports) {
                (None, ports) => *ports = Ports::Any,
                (Some(port), Ports::Only(list)) => list.push(port),
                (Some(_), Ports::Any) => {}
            }
        }
        Ok(Self { trusted: Arc::new(hosts) })
    }

    /// Checks a base URL from a user, before it is stored.
    ///
    /// # Errors
    /// [`GuardError::Refused`] with a sentence for the user.
    pub fn check_base_url(&self, text: &str) -> Result<Url, GuardError> {
        if text.len() > MAX_URL_CHARS {
            return Err(GuardError::Refused("the URL is longer than 2048 characters"));
        }
        if text.chars().any(|character| character.is_control() || character.is_whitespace() || character == '\\') {
            return Err(GuardError::Refused("the URL contains a space, a control character or a backslash"));
        }
        let url = Url::parse(text)
            .map_err(|_| GuardError::Refused("this is not a URL; it looks like https://api.example.com/v1"))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(GuardError::Refused("a base URL has no query and no fragment"));
        }
        // The parser turns 0x7f.1 or 2130706433 into an address; who writes that hides something.
        if let Some(Host::Ipv4(address)) = url.host()
            && !text.contains(&address.to_string())
        {
            return Err(GuardError::Refused("write the IPv4 address as four decimal numbers"));
        }
        self.check_url(&url)?;
        Ok(url)
    }

    /// Checks a URL before it is called. An address written into the URL gets no other check, because no name is
    /// resolved for it: no code may connect without this one.
    ///
    /// # Errors
    /// [`GuardError::Refused`] with the reason.
    pub fn check_url(&self, url: &Url) -> Result<(), GuardError> {
        if url.as_str().len() > MAX_URL_CHARS {
            return Err(GuardError::Refused("the URL is longer than 2048 characters"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(GuardError::Refused("the URL contains a user name or password"));
        }
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(GuardError::Refused("the URL names no host"));
        };
        let trusted = match self.trusted.get(&host_key(&host)) {
            None => false,
            Some(Ports::Any) => true,
            Some(Ports::Only(ports)) if ports.contains(&port) => true,
            Some(Ports::Only(_)) => {
                return Err(GuardError::Refused(
                    "this host is trusted for other ports only; the operator can add this one, as host:port, to KEYWAY_TRUSTED_UPSTREAMS",
                ));
            }
        };
        match (url.scheme(), trusted) {
            ("https", _) | ("http", true) => {}
            ("http", false) => {
                return Err(GuardError::Refused(
                    "only https is allowed, but for hosts that the operator lists in KEYWAY_TRUSTED_UPSTREAMS, like localhost:11434",
                ));
            }
            _ => return Err(GuardError::Refused("only https URLs are allowed")),
        }
        if !trusted && port < 1024 && port != 443 {
            return Err(GuardError::Refused("only port 443 and ports from 1024 are allowed"));
        }
        match host {
            Host::Ipv4(address) => check_address(address.into(), trusted),
            Host::Ipv6(address) => check_address(address.into(), trusted),
            Host::Domain(_) if trusted => Ok(()),
            Host::Domain(name) => check_name(name),
        }
    }

    /// Checks every address a name was resolved to.
    ///
    /// # Errors
    /// [`GuardError::Unresolved`] if there is none, [`GuardError::Refused`] if one is not allowed: an answer that mixes
    /// allowed and refused addresses is refused as a whole.
    pub fn check_addresses(&self, name: &str, addresses: &[IpAddr]) -> Result<(), GuardError> {
        let trusted = self.trusted.contains_key(&plain_name(name));
        if addresses.is_empty() {
            return Err(GuardError::Unresolved);
        }
        addresses.iter().try_for_each(|address| check_address(*address, trusted))
    }
}

fn check_address(address: IpAddr, trusted: bool) -> Result<(), GuardError> {
    if is_metadata(address) {
        return Err(GuardError::Refused("the host is a cloud metadata service"));
    }
    if trusted || is_allowed(address) {
        return Ok(());
    }
    Err(GuardError::Refused(
        "the host's address is not a public one; the operator can allow it, as host:port, in KEYWAY_TRUSTED_UPSTREAMS",
    ))
}

fn check_name(name: &str) -> Result<(), GuardError> {
    let name = plain_name(name);
    let within = |domain: &str| name == domain || name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    if !name.contains('.') || INNER_DOMAINS.iter().any(|domain| within(domain)) {
        return Err(GuardError::Refused(
            "the host's name is an internal one; the operator can allow it, as host:port, in KEYWAY_TRUSTED_UPSTREAMS",
        ));
    }
    if ADDRESS_DOMAINS.iter().any(|domain| within(domain)) {
        return Err(GuardError::Refused("the host's name stands for an arbitrary address"));
    }
    Ok(())
}

fn plain_name(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

fn host_key(host: &Host<&str>) -> String {
    match host {
        Host::Domain(name) => plain_name(name),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_canonical().to_string(),
    }
}

fn parse_trusted(entry: &str) -> Option<(String, Option<u16>)> {
    if entry.contains(['/', '@', '?', '#']) || entry.chars().any(char::is_whitespace) {
        return None;
    }
    // A scheme without a default port keeps whatever port was written.
    let url = Url::parse(&format!("https://{entry}")).ok()?;
    let port = if entry.ends_with(":443") { Some(443) } else { url.port() };
    Some((host_key(&url.host()?), port))
}

#[cfg(test)]
mod tests;
