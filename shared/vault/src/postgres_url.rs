//! The URL of a PostgreSQL database: its hosts, the demands it makes of them, and the parts that may be shown.
//!
//! Every return value except [`SecretString`] is free of user name and password.

use crate::{Host, SecretString, ServiceUrl, UrlFault};

/// Parameters that the driver knows, and `options[...]`.
const PASSED_ON: &[&str] = &[
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];
/// Parameters of other clients that services put into the URLs they hand out; ignored, as they change nothing here.
const IGNORED: &[&str] = &[
    "channel_binding",
    "client_encoding",
    "connect_timeout",
    "fallback_application_name",
    "gssencmode",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "sslsni",
    "tcp_user_timeout",
];
const SESSION: &str = "target_session_attrs";
const POOL_MODE: &str = "pool_mode";
const SSL_MODE: &[&str] = &["sslmode", "ssl-mode"];
const ROOT_CERT: &[&str] = &["sslrootcert", "ssl-root-cert", "ssl-ca"];

/// The URL of one database, on one host or on several that fail over to each other.
#[derive(Debug)]
pub struct PostgresUrl {
    url: ServiceUrl,
    hosts: Vec<Host>,
    database: Option<String>,
    /// `true` if the URL accepts only a server that takes writes (`target_session_attrs`).
    pub must_write: bool,
    /// `true` if a transaction-mode pooler stands in between, which gives each transaction another session.
    pub pools_transactions: bool,
}

impl PostgresUrl {
    /// Returns `true` if the URL's scheme is PostgreSQL's.
    #[must_use]
    pub fn is_one(url: &str) -> bool {
        url.starts_with("postgres:") || url.starts_with("postgresql:")
    }

    /// Reads `postgres://user:password@host:port/name`, with several hosts separated by commas.
    ///
    /// # Errors
    /// A sentence that says what to write and quotes nothing of the URL.
    pub fn parse(text: &str) -> Result<Self, UrlFault> {
        let url = ServiceUrl::parse(text)?;
        if !Self::is_one(text) {
            return Err(UrlFault("it must begin with postgres://"));
        }
        let is_known = |name: &str| {
            [PASSED_ON, IGNORED, &[SESSION, POOL_MODE]].iter().any(|names| names.contains(&name))
                || name.starts_with("options[")
        };
        if !url.parameters().all(is_known) {
            return Err(UrlFault(
                "a parameter behind its ? is not one of sslmode, sslrootcert, sslcert, sslkey, target_session_attrs, \
                 pool_mode, application_name, options, statement-cache-capacity, host, hostaddr, port, dbname, user, password",
            ));
        }
        let ssl_modes = [
            None,
            Some("disable"),
            Some("allow"),
            Some("prefer"),
            Some("require"),
            Some("verify-ca"),
            Some("verify-full"),
        ];
        if !ssl_modes.contains(&url.parameter(SSL_MODE)) {
            return Err(UrlFault("sslmode must be disable, allow, prefer, require, verify-ca or verify-full"));
        }
        let hosts = hosts(&url)?;
        let must_write = match url.parameter(&[SESSION]) {
            None => hosts.len() > 1,
            Some("any") => false,
            Some("read-write" | "primary") => true,
            Some(_) => return Err(UrlFault("target_session_attrs must be read-write, primary or any: Keyway writes")),
        };
        let pools_transactions = match url.parameter(&[POOL_MODE]) {
            None | Some("session") => false,
            Some("transaction") => true,
            Some(_) => return Err(UrlFault("pool_mode must be session or transaction")),
        };
        let capacity = url.parameter(&["statement-cache-capacity"]);
        if capacity.is_some_and(|capacity| capacity.parse::<usize>().is_err()) {
            return Err(UrlFault("statement-cache-capacity must be a whole number"));
        }
        let in_path = Some(url.path.clone()).filter(|path| !path.is_empty());
        let database = url.parameter(&["dbname"]).map(str::to_owned).or(in_path);
        Ok(Self { hosts, database, must_write, pools_transactions, url })
    }

    /// Returns one URL per host, in the driver's form.
    #[must_use]
    pub fn each_host(&self) -> Vec<SecretString> {
        // As libpq has it: a root certificate that is named is there to be checked against.
        let verifies = self.url.parameter(SSL_MODE) == Some("require") && self.url.parameter(ROOT_CERT).is_some();
        let keeps = |name: &str| {
            (PASSED_ON.contains(&name) || name.starts_with("options[")) && !(verifies && SSL_MODE.contains(&name))
        };
        let more: &[(&str, &str)] = if verifies { &[("sslmode", "verify-ca")] } else { &[] };
        self.url.hosts.iter().map(|host| self.url.of(host, keeps, more)).collect()
    }

    /// Returns the database's name and hosts for messages: `keyway at db1:5432, db2:5432`.
    #[must_use]
    pub fn name(&self) -> String {
        let hosts: Vec<_> = (0..self.hosts.len()).map(|at| self.host(at)).collect();
        format!("{} at {}", self.database.as_deref().unwrap_or("(of the user's name)"), hosts.join(", "))
    }

    /// Returns one host's name for messages: `db1:5432`.
    #[must_use]
    pub fn host(&self, at: usize) -> String {
        match self.hosts.get(at) {
            Some(host) if host.name.is_empty() || host.name.starts_with('/') => "a socket of this machine".to_owned(),
            Some(host) => format!("{}:{}", host.name, host.port.unwrap_or(5432)),
            None => String::new(),
        }
    }

    /// Returns `true` if passwords and rows may cross a network unencrypted.
    #[must_use]
    pub fn may_be_plain(&self) -> bool {
        let encrypts = matches!(self.url.parameter(SSL_MODE), Some("require" | "verify-ca" | "verify-full"));
        !encrypts && !self.hosts.iter().all(Host::is_loopback)
    }
}

/// Returns the URL's hosts; a `host` parameter may name the only one.
fn hosts(url: &ServiceUrl) -> Result<Vec<Host>, UrlFault> {
    let named = url.parameter(&["host", "hostaddr"]);
    let port = url.parameter(&["port"]);
    if named.is_none() && port.is_none() {
        return Ok(url.hosts.clone());
    }
    if url.hosts.len() > 1 || named.is_some_and(|name| name.contains(',')) {
        return Err(UrlFault("several hosts stand before the path, host1:5432,host2:5432, and not in host or port"));
    }
    let port = port.map(str::parse).transpose().map_err(|_| UrlFault("port must be a number"))?;
    let host = url.hosts.first().ok_or(UrlFault("it names no host"))?;
    Ok(vec![Host { name: named.unwrap_or(&host.name).to_owned(), port: port.or(host.port) }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_host_port_and_database_and_nothing_else() {
        for (url, name) in [
            ("postgres://u:S3CRET@db.example:6432/keyway", "keyway at db.example:6432"),
            ("postgresql://u:S3CRET@h1,h2:5433/keyway", "keyway at h1:5432, h2:5433"),
            ("postgres://u@[::1]/keyway?user=S3CRET&password=S3CRET", "keyway at [::1]:5432"),
            ("postgres:///keyway?host=/var/run/postgresql", "keyway at a socket of this machine"),
            ("postgres://h/?dbname=other&port=1", "other at h:1"),
        ] {
            let parsed = PostgresUrl::parse(url).unwrap();
            assert_eq!(parsed.name(), name, "{url}");
            assert!(!format!("{parsed:?}").contains("S3CRET"), "{url}");
        }
    }

    #[test]
    fn several_hosts_need_one_that_takes_writes() {
        for (url, must_write) in [
            ("postgres://h/db", false),
            ("postgres://h/db?target_session_attrs=read-write", true),
            ("postgres://h1,h2/db", true),
            ("postgres://h1,h2/db?target_session_attrs=primary", true),
            ("postgres://h1,h2/db?target_session_attrs=any", false),
        ] {
            assert_eq!(PostgresUrl::parse(url).unwrap().must_write, must_write, "{url}");
        }
        let url =
            PostgresUrl::parse("postgres://u:p@h1:1,h2:2/db?target_session_attrs=read-write&pool_mode=transaction")
                .unwrap();
        let each: Vec<_> = url.each_host().into_iter().map(|url| url.plain().clone()).collect();
        assert_eq!(each, ["postgres://u:p@h1:1/db", "postgres://u:p@h2:2/db"]);
        assert!(url.pools_transactions);
    }

    #[test]
    fn plain_text_over_a_network_is_known_and_a_root_certificate_is_checked() {
        for (url, plain) in [
            ("postgres://h/db", true),
            ("postgres://h/db?sslmode=prefer", true),
            ("postgres://h/db?sslmode=require", false),
            ("postgres://h/db?sslmode=verify-full", false),
            ("postgres://localhost,h2/db", true),
            ("postgres://127.0.0.1/db", false),
            ("postgres:///db?host=/run/postgresql", false),
        ] {
            assert_eq!(PostgresUrl::parse(url).unwrap().may_be_plain(), plain, "{url}");
        }
        let url = PostgresUrl::parse("postgres://h/db?sslmode=require&sslrootcert=/ca.pem").unwrap();
        assert_eq!(url.each_host()[0].plain(), "postgres://h/db?sslrootcert=/ca.pem&sslmode=verify-ca");
    }

    #[test]
    fn a_fault_says_what_to_write_and_quotes_nothing() {
        for (url, says) in [
            ("postgres://u:p@h/db?S3CRET=S3CRET", "is not one of"),
            ("postgres://u:p@h/db?sslmode=S3CRET", "sslmode must be"),
            ("postgres://u:p@h/db?target_session_attrs=standby", "read-write"),
            ("postgres://u:p@h/db?pool_mode=statement", "session or transaction"),
            ("postgres://u:p@h/db?statement-cache-capacity=S3CRET", "whole number"),
            ("postgres://u:p@h/db?port=S3CRET", "a number"),
            ("postgres://u:p@h/db?host=h1,S3CRET", "before the path"),
            ("mysql://u:S3CRET@h/db", "postgres://"),
        ] {
            let fault = PostgresUrl::parse(url).unwrap_err().to_string();
            assert!(fault.contains(says) && !fault.contains("S3CRET"), "{url}: {fault}");
        }
    }
}
