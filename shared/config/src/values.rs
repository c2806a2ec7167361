//! The texts of settings, and what most of them have to be. A message says that, and never what was there instead: it
//! may be a secret in the wrong place.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
    time::Duration,
};

use keyway_vault::SecretString;

use crate::{ConfigError, Setting};

/// Texts of the settings that are not parsed yet.
pub(crate) struct Values(BTreeMap<String, SecretString>);

impl Values {
    pub(crate) const fn new(texts: BTreeMap<String, SecretString>) -> Self {
        Self(texts)
    }

    /// Returns the value, or the default; a variable that is set but empty counts as not set.
    pub(crate) fn text(&mut self, setting: &Setting) -> String {
        self.secret(setting).map_or_else(|| setting.default.to_owned(), |value| value.plain().clone())
    }

    /// Returns the value without a copy that would not be wiped, if it is set.
    pub(crate) fn secret(&mut self, setting: &Setting) -> Option<SecretString> {
        self.0.remove(setting.name).filter(|value| !value.plain().is_empty())
    }

    pub(crate) fn set(&mut self, setting: &Setting) -> Option<String> {
        Some(self.text(setting)).filter(|value| !value.is_empty())
    }

    pub(crate) fn address(&mut self, setting: &Setting) -> Result<SocketAddr, ConfigError> {
        let text = self.text(setting);
        let local = || Some(SocketAddr::from((Ipv4Addr::LOCALHOST, text.strip_prefix("localhost:")?.parse().ok()?)));
        text.parse().ok().or_else(local).ok_or_else(|| {
            invalid(setting, "it must be an address and a port, like 127.0.0.1:8080, or 0.0.0.0:8080 for every network")
        })
    }

    pub(crate) fn word(&mut self, setting: &Setting, known: &[&str]) -> Result<String, ConfigError> {
        let text = self.text(setting);
        if known.contains(&text.as_str()) {
            return Ok(text);
        }
        Err(invalid(setting, format!("it must be {}", known.join(" or "))))
    }

    pub(crate) fn number(&mut self, setting: &Setting, range: RangeInclusive<u64>) -> Result<u64, ConfigError> {
        let number = self.text(setting).parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| {
            let example = setting.default;
            let example = if example.is_empty() { String::new() } else { format!(", like {example}") };
            let (least, most) = (range.start(), range.end());
            invalid(setting, format!("it must be a whole number{} from {least} to {most}{example}", unit(setting.name)))
        })
    }

    pub(crate) fn size(&mut self, setting: &Setting, range: RangeInclusive<u64>) -> Result<usize, ConfigError> {
        self.number(setting, range).map(|number| usize::try_from(number).unwrap_or(usize::MAX))
    }

    pub(crate) fn seconds(&mut self, setting: &Setting, range: RangeInclusive<u64>) -> Result<Duration, ConfigError> {
        self.number(setting, range).map(Duration::from_secs)
    }

    pub(crate) fn days(&mut self, setting: &Setting, range: RangeInclusive<u64>) -> Result<Duration, ConfigError> {
        self.number(setting, range).map(|days| Duration::from_secs(days * 86_400))
    }

    /// Whether it is set, and not to nothing.
    pub(crate) fn is_set(&self, setting: &Setting) -> bool {
        self.0.get(setting.name).is_some_and(|value| !value.plain().is_empty())
    }

    pub(crate) fn path(&mut self, setting: &Setting) -> Option<PathBuf> {
        self.set(setting).map(PathBuf::from)
    }

    /// A URL with one of these schemes.
    pub(crate) fn url(&mut self, setting: &Setting, schemes: &[&str]) -> Result<Option<SecretString>, ConfigError> {
        let Some(text) = self.secret(setting) else { return Ok(None) };
        // A password may be in the URL: the message never quotes it.
        let scheme = text.plain().split_once(':').map(|(scheme, _)| scheme);
        if !scheme.is_some_and(|scheme| schemes.contains(&scheme)) {
            return Err(invalid(setting, format!("it must be a URL that starts with {}://", schemes.join(":// or "))));
        }
        Ok(Some(text))
    }
}

/// The error of a setting that is not as it has to be.
pub(crate) fn invalid(setting: &Setting, why: impl Into<String>) -> ConfigError {
    ConfigError::Invalid { name: setting.name, why: why.into() }
}

/// Returns the unit of a numeric setting, from the suffix of its name, for messages: ` of seconds`.
fn unit(name: &str) -> &'static str {
    let units =
        [("_SECONDS", " of seconds"), ("_MS", " of milliseconds"), ("_DAYS", " of days"), ("_BYTES", " of bytes")];
    units.into_iter().find(|(end, _)| name.ends_with(end)).map_or("", |(_, unit)| unit)
}
