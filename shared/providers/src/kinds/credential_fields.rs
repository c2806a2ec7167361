//! Credentials that are JSON objects, as clouds issue them: reads their fields one by one and reports the fault of an
//! invalid one. Keeps the values in memory that is wiped, and puts nothing of them into an error.

use std::collections::BTreeMap;

use keyway_domain::{Evidence, VerdictKind};
use keyway_vault::{ProviderSecret, SecretString};
use serde_json::value::RawValue;

use crate::{Finding, FormatError, format};

const MAX_BYTES: usize = 16 << 10;

/// The fields of a credential, which keeps the text.
pub(crate) struct Fields<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Fields<'a> {
    /// Parses the object; `form` names the thing to paste instead of anything else.
    pub(crate) fn read(credentials: &'a ProviderSecret, form: &'static str) -> Result<Self, FormatError> {
        // Its fields are used one by one, and wiped with the value that holds them.
        let credentials = credentials.expose();
        if credentials.trim().is_empty() {
            return Err(FormatError::Empty);
        }
        if credentials.len() > MAX_BYTES {
            return Err(FormatError::TooLong);
        }
        serde_json::from_str(credentials).map(Self).map_err(|_| FormatError::NotAnObject(form))
    }

    /// Returns a text field unchanged, line breaks included.
    pub(crate) fn text(&self, field: &'static str) -> Result<SecretString, FormatError> {
        let raw = self.present(field).ok_or(FormatError::Field { field, problem: "is missing; enter it too" })?;
        let text: SecretString = serde_json::from_str(raw)
            .map_err(|_| FormatError::Field { field, problem: "is not a text; enter it in quotes" })?;
        if text.plain().is_empty() {
            return Err(FormatError::Field { field, problem: "is empty; paste it whole" });
        }
        Ok(text)
    }

    /// Returns a field of printable ASCII without spaces, which every field but a PEM key is.
    pub(crate) fn word(&self, field: &'static str) -> Result<SecretString, FormatError> {
        let text = self.text(field)?;
        let word = text.plain();
        let fault = |problem| Err(FormatError::Field { field, problem });
        if format::is_keyways(word) {
            return fault("is a key of Keyway itself, which no provider knows; enter the provider's own");
        }
        if word.contains("***") || word.contains("...") || word.contains(['…', '•', '●']) {
            return fault("is the masked form; paste it whole");
        }
        if word.contains(char::is_whitespace) {
            return fault("contains a space or a line break; paste it alone");
        }
        if !word.bytes().all(|byte| byte.is_ascii_graphic()) {
            return fault("contains a character that does not belong there; copy it again");
        }
        Ok(text)
    }

    /// Works like [`Self::word`]; `None` if the field is missing or null.
    pub(crate) fn optional_word(&self, field: &'static str) -> Result<Option<SecretString>, FormatError> {
        self.present(field).map(|_| self.word(field)).transpose()
    }

    /// Works like [`Self::word`], for a public field with a form of its own.
    pub(crate) fn public(
        &self,
        field: &'static str,
        has_form: impl Fn(&str) -> bool,
        problem: &'static str,
    ) -> Result<String, FormatError> {
        let word = self.word(field)?;
        if has_form(word.plain()) { Ok(word.plain().clone()) } else { Err(FormatError::Field { field, problem }) }
    }

    /// Works like [`Self::public`]; `None` if the field is missing or null.
    pub(crate) fn optional_public(
        &self,
        field: &'static str,
        has_form: impl Fn(&str) -> bool,
        problem: &'static str,
    ) -> Result<Option<String>, FormatError> {
        self.present(field).map(|_| self.public(field, has_form, problem)).transpose()
    }

    fn present(&self, field: &str) -> Option<&'a str> {
        self.0.get(field).map(|raw| raw.get()).filter(|raw| *raw != "null")
    }
}

/// Builds the finding for a stored credential whose form is no longer accepted: no call was made.
pub(crate) fn unreadable(error: FormatError) -> Finding {
    let evidence = Evidence { reason: format!("{error}; enter the credential again"), ..Evidence::default() };
    Finding { kind: VerdictKind::Unreachable, evidence, retry_after: None, provider_key_id: None }
}

/// Returns `true` if a text has the form of a UUID.
pub(crate) fn is_uuid(text: &str) -> bool {
    let dashes = [8, 13, 18, 23];
    let fits = |(at, byte): (usize, u8)| if dashes.contains(&at) { byte == b'-' } else { byte.is_ascii_hexdigit() };
    text.len() == 36 && text.bytes().enumerate().all(fits)
}
