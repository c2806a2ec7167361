//! E-mail addresses: kept as they were given, to write to, and compared in one form, so that no two accounts are told
//! apart by capitals or by letters that look alike.
//!
//! Mail goes to the address that an account was given, never to one that merely compares equal to it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use unicode_normalization::UnicodeNormalization as _;

/// What mail servers take at most.
const MOST_BYTES: usize = 254;
const MOST_LOCAL_BYTES: usize = 64;

/// An address that mail can be sent to.
#[derive(Clone, PartialEq, Eq)]
pub struct Email {
    given: String,
    key: String,
}

/// Why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an e-mail address like ana@example.org")]
pub struct EmailError;

impl Email {
    /// The address as it was given.
    #[must_use]
    pub fn as_given(&self) -> &str {
        &self.given
    }

    /// The form that is compared.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The domain of the form that is compared.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.key.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl FromStr for Email {
    type Err = EmailError;

    fn from_str(text: &str) -> Result<Self, EmailError> {
        let given = text.trim();
        if given.len() > MOST_BYTES || !is_address(given) {
            return Err(EmailError);
        }
        // Twice: some capitals come apart when they become small.
        let key: String = given.nfkc().collect::<String>().to_lowercase().nfkc().collect();
        let is_alike = key.len() <= MOST_BYTES && is_address(&key);
        is_alike.then(|| Self { given: given.to_owned(), key }).ok_or(EmailError)
    }
}

/// One `@` with something on both sides that a mail server takes unquoted.
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let is_dotted = |part: &str| part.split('.').all(|label| !label.is_empty());
    let is_local = local.len() <= MOST_LOCAL_BYTES && is_dotted(local) && !local.chars().any(is_special);
    let of_domain = |c: char| c == '.' || c == '-' || c.is_ascii_alphanumeric() || !c.is_ascii() && c.is_alphanumeric();
    let hyphen_inside = |label: &str| !label.starts_with('-') && !label.ends_with('-');
    is_local && is_dotted(domain) && domain.chars().all(of_domain) && domain.split('.').all(hyphen_inside)
}

fn is_special(c: char) -> bool {
    c.is_whitespace() || c.is_control() || r#"()<>[]:;@\,""#.contains(c) || is_invisible(c)
}

/// Characters that show nothing, or turn the direction of what follows.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.given)
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Email {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.given)
    }
}

impl<'de> Deserialize<'de> for Email {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_kept_as_given_and_compared_in_one_form() {
        for (text, key) in [
            ("ana@example.org", "ana@example.org"),
            ("  Ana.Ruiz+keys@Example.ORG ", "ana.ruiz+keys@example.org"),
            ("\u{ff41}na@example.org", "ana@example.org"),
            ("jose\u{301}@example.org", "jos\u{e9}@example.org"),
            ("o'neil!#$%&*/=?^_`{|}~@example.org", "o'neil!#$%&*/=?^_`{|}~@example.org"),
            ("ana@b\u{fc}cher.example", "ana@b\u{fc}cher.example"),
            ("ana@localhost", "ana@localhost"),
            ("ANA\u{130}@example.org", "anai\u{307}@example.org"),
        ] {
            let email: Email = text.parse().unwrap_or_else(|_| panic!("{text}"));
            assert_eq!((email.as_given(), email.key()), (text.trim(), key));
            let again: Email = email.key().parse().unwrap();
            assert_eq!(again.key(), key, "the form is one that stays");
        }
        assert_eq!("Ana@Example.org".parse::<Email>().unwrap().domain(), "example.org");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@example.org", "a".repeat(65));
        let longer = format!("ana@{}.org", "a".repeat(250));
        for bad in [
            "",
            "ana",
            "@",
            "ana@",
            "@example.org",
            "ana@example.org@example.com",
            "ana@example..org",
            ".ana@example.org",
            "ana.@example.org",
            "ana@-example.org",
            "ana ruiz@example.org",
            "ana@exam ple.org",
            "ana@example.org\r\nBcc: eve@example.org",
            "ana,eve@example.org",
            "Ana <ana@example.org>",
            "\"ana\"@example.org",
            "ana@[127.0.0.1]",
            "ana\u{ff20}eve@example.org",
            "an\u{200b}a@example.org",
            "ana\u{202e}@example.org",
            &long,
            &longer,
        ] {
            assert_eq!(bad.parse::<Email>(), Err(EmailError), "{bad:?}");
        }
    }
}
