//! Settings of mail: the server that takes it, and the sender.
//!
//! A setting is a line here and one in `.env.example`.

use keyway_vault::SmtpUrl;

use crate::{
    ConfigError, Setting,
    setting::setting,
    values::{Values, invalid},
};

pub(crate) const SMTP_URL: Setting = setting(
    "KEYWAY_SMTP_URL",
    "",
    "smtp://user:password@host:587 (STARTTLS, required except on this machine) or smtps://...; unset: no mail is sent",
);
const MAIL_FROM: Setting =
    setting("KEYWAY_MAIL_FROM", "", "sender of mails: Keyway <keyway@example.com>, or the address alone");

/// Every one of them.
pub(crate) const SETTINGS: &[Setting] = &[SMTP_URL, MAIL_FROM];

/// Settings of mail.
#[derive(Debug)]
pub struct MailConfig {
    /// Server that takes mails.
    pub smtp: SmtpUrl,
    /// Name of the sender.
    pub from_name: String,
    /// Address of the sender.
    pub from_address: String,
    /// Address that people open Keyway at.
    pub public_url: String,
}

impl MailConfig {
    /// Reads them; `None`: no mail is sent.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] names the first that is wrong.
    pub(crate) fn read(values: &mut Values, public_url: Option<&String>) -> Result<Option<Self>, ConfigError> {
        let from = values.set(&MAIL_FROM).map(|text| sender(&text)).transpose()?;
        let Some(url) = values.url(&SMTP_URL, &["smtp", "smtps"])? else { return Ok(None) };
        let smtp = SmtpUrl::parse(url.plain()).map_err(|fault| invalid(&SMTP_URL, fault.to_string()))?;
        let (Some((from_name, from_address)), Some(public_url)) = (from, public_url.cloned()) else {
            let why = "mails need a sender and an address that their links lead to: set KEYWAY_MAIL_FROM and \
                       KEYWAY_PUBLIC_URL as well";
            return Err(invalid(&SMTP_URL, why));
        };
        Ok(Some(Self { smtp, from_name, from_address, public_url }))
    }
}

/// Returns the name and the address of `Keyway <keyway@example.com>`.
fn sender(text: &str) -> Result<(String, String), ConfigError> {
    let (name, address) = match text.trim().strip_suffix('>').and_then(|text| text.split_once('<')) {
        Some((name, address)) => (name.trim().trim_matches('"').trim(), address.trim()),
        None => ("", text.trim()),
    };
    let is_plain = |text: &str| !text.contains(['<', '>', '"', '\\', ',', ';']) && !text.chars().any(char::is_control);
    let of_domain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    let is_address = address.split_once('@').is_some_and(|(local, domain)| {
        let is_local = !local.is_empty() && local.is_ascii() && !local.contains([' ', '(', ')', '[', ']', ':', '@']);
        let labels =
            domain.split('.').all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'));
        is_local && labels && domain.chars().all(of_domain) && !local.split('.').any(str::is_empty)
    });
    if !is_plain(name) || !is_plain(address) || !is_address {
        return Err(invalid(&MAIL_FROM, "it must be an address, or a name with one: Keyway <keyway@example.com>"));
    }
    let name = if name.is_empty() { "Keyway" } else { name };
    Ok((name.to_owned(), address.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_an_address_with_or_without_a_name() {
        for (text, name, address) in [
            ("keyway@example.com", "Keyway", "keyway@example.com"),
            ("<keyway@example.com>", "Keyway", "keyway@example.com"),
            ("Llaves <no-reply@mail.example.com>", "Llaves", "no-reply@mail.example.com"),
            ("\"Acme Keys\" <k@example.com>", "Acme Keys", "k@example.com"),
        ] {
            assert_eq!(sender(text).unwrap(), (name.to_owned(), address.to_owned()), "{text}");
        }
        for text in ["canary", "a@", "@b", "a b@c.d", "a@b@c", "A <a@b.c", "A, B <a@b.c>", "a@-b.c", "a@b..c", "é@b.c"]
        {
            let error = sender(text).unwrap_err().to_string();
            assert!(error.starts_with("KEYWAY_MAIL_FROM") && !error.contains("canary"), "{text}: {error}");
        }
    }
}
