//! The URL of a mail server: its host, its login and the TLS it is spoken to with. The password is never quoted.

use crate::{Host, SecretString, ServiceUrl, UrlFault};

const SUBMISSION: u16 = 587;
const SUBMISSIONS: u16 = 465;
const RELAY: u16 = 25;

const PERCENT: UrlFault =
    UrlFault("a % in its user name or password is written %25; two hexadecimal digits follow each % otherwise");

/// Protection of a connection to a mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// None: the server is on this machine.
    Plain,
    /// TLS begun by STARTTLS; without it nothing is sent.
    StartTls,
    /// TLS from the first byte.
    Tls,
}

/// URL of a mail server.
#[derive(Debug)]
pub struct SmtpUrl {
    /// Host, an IPv6 address without its brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Protection of the connection.
    pub security: SmtpSecurity,
    /// User name and password; `None`: no login.
    pub login: Option<(String, SecretString)>,
}

impl SmtpUrl {
    /// Returns the same URL once more, with its password.
    #[must_use]
    pub fn again(&self) -> Self {
        let login = self.login.as_ref().map(|(user, password)| (user.clone(), password.plain().clone().into()));
        Self { host: self.host.clone(), port: self.port, security: self.security, login }
    }

    /// Reads `smtp://user:password@host:587` (STARTTLS, required except on this machine) or `smtps://...` (TLS).
    ///
    /// # Errors
    /// A sentence that says what to write and quotes nothing of the URL.
    pub fn parse(text: &str) -> Result<Self, UrlFault> {
        let url = ServiceUrl::parse(text)?;
        let [host] = url.hosts.as_slice() else { return Err(UrlFault("it must name one host")) };
        if host.name.is_empty() || !url.path.is_empty() {
            return Err(UrlFault("it must be smtp://user:password@host:587 or smtps://..., without a path"));
        }
        if url.parameters().any(|name| name != "tls") || !matches!(url.parameter(&["tls"]), None | Some("required")) {
            return Err(UrlFault("the only parameter behind its ? is tls=required"));
        }
        let security = match url.scheme.as_str() {
            "smtps" => SmtpSecurity::Tls,
            "smtp" if host.is_loopback() && url.parameter(&["tls"]).is_none() => SmtpSecurity::Plain,
            "smtp" => SmtpSecurity::StartTls,
            _ => return Err(UrlFault("it must begin with smtp:// or smtps://")),
        };
        let login =
            url.login().map(|login| login.plain().split_once(':').map_or((login.plain().as_str(), ""), |it| it));
        let login = login.map(|(user, password)| Ok::<_, UrlFault>((decoded(user)?, decoded(password)?.into())));
        Ok(Self { port: port(host, security), host: bare(host), security, login: login.transpose()? })
    }
}

fn port(host: &Host, security: SmtpSecurity) -> u16 {
    host.port.unwrap_or(match security {
        SmtpSecurity::Plain => RELAY,
        SmtpSecurity::StartTls => SUBMISSION,
        SmtpSecurity::Tls => SUBMISSIONS,
    })
}

fn bare(host: &Host) -> String {
    host.name.trim_start_matches('[').trim_end_matches(']').to_owned()
}

fn decoded(text: &str) -> Result<String, UrlFault> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16)).ok_or(PERCENT);
        bytes.push(match byte {
            b'%' => u8::try_from(digit(rest.next())? * 16 + digit(rest.next())?).map_err(|_| PERCENT)?,
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| PERCENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_how_its_server_is_spoken_to() {
        use SmtpSecurity::{Plain, StartTls, Tls};
        for (text, host, port, security) in [
            ("smtp://mail.example.com", "mail.example.com", 587, StartTls),
            ("smtp://mail.example.com:25", "mail.example.com", 25, StartTls),
            ("smtp://mail.example.com?tls=required", "mail.example.com", 587, StartTls),
            ("smtps://mail.example.com", "mail.example.com", 465, Tls),
            ("smtp://localhost", "localhost", 25, Plain),
            ("smtp://127.0.0.1:2525", "127.0.0.1", 2525, Plain),
            ("smtp://[::1]:2525?tls=required", "::1", 2525, StartTls),
            ("smtps://localhost", "localhost", 465, Tls),
        ] {
            let url = SmtpUrl::parse(text).unwrap();
            assert_eq!((url.host.as_str(), url.port, url.security), (host, port, security), "{text}");
            assert!(url.login.is_none());
        }
    }

    #[test]
    fn a_login_is_decoded_and_never_shown() {
        let url = SmtpUrl::parse("smtps://ana%40example.org:S3C%3A%40%2FRET%25@h").unwrap();
        assert!(!format!("{url:?}").contains("S3C"));
        let (user, password) = url.login.unwrap();
        assert_eq!((user.as_str(), password.plain().as_str()), ("ana@example.org", "S3C:@/RET%"));
    }

    #[test]
    fn what_cannot_be_used_is_refused_without_being_quoted() {
        for text in [
            "http://u:S3CRET@h",
            "smtp://u:S3CRET@h1,h2",
            "smtp://u:S3CRET@h/path",
            "smtp://u:S3CRET@h?tls=none",
            "smtp://u:S3CRET@h?starttls=1",
            "smtp://u:S3CRET%@h",
            "smtp://u:S3CRET%zz@h",
            "smtp://u:S3CRET%ff@h",
            "smtp://u:S3CRET@",
            "S3CRET",
        ] {
            let fault = SmtpUrl::parse(text).unwrap_err().to_string();
            assert!(!fault.contains("S3C") && fault.len() > 15, "{text}: {fault}");
        }
    }
}
