//! A revealed secret, and whether a tenant reveals any. The one view through which a stored secret leaves Keyway.

use keyway_domain::{Timestamp, UserId};
use keyway_store::reveal_allowances::RevealAllowance;
use keyway_vault::{SecretBytes, SecretString};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::{code::Code, error::ApiError, input::CredentialsSchema, openapi::words};

/// Bytes that a character of a text may take in JSON, at most.
const MOST_ESCAPED: usize = 6;

/// A revealed secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct RevealedView<'s> {
    /// The key as it was submitted, or a cloud provider's credential as its object.
    #[schema(value_type = CredentialsSchema)]
    credentials: Shown<'s>,
}

/// Text as a text, an object as an object.
#[derive(Serialize)]
#[serde(untagged)]
enum Shown<'s> {
    Key(&'s str),
    Object(&'s RawValue),
}

/// Whether secrets may be revealed in the tenant.
#[derive(Serialize, ToSchema)]
pub(crate) struct RevealsView {
    allowed: bool,
    /// Owner that allowed it; null while it is not allowed.
    #[schema(value_type = Option<words::UserId>)]
    allowed_by: Option<UserId>,
    #[schema(value_type = Option<String>, format = DateTime)]
    allowed_at: Option<Timestamp>,
}

impl From<Option<RevealAllowance>> for RevealsView {
    fn from(allowance: Option<RevealAllowance>) -> Self {
        Self {
            allowed: allowance.is_some(),
            allowed_by: allowance.and_then(|allowance| allowance.allowed_by),
            allowed_at: allowance.map(|allowance| allowance.allowed_at),
        }
    }
}

/// Writes a secret as the body of an answer, in one piece of memory that is wiped after use.
///
/// # Errors
/// 500 if it does not fit, which is a defect.
pub(crate) fn revealed(secret: &SecretString) -> Result<SecretBytes, ApiError> {
    let text = secret.plain().as_str();
    let object = if text.starts_with('{') { serde_json::from_str(text).ok() } else { None };
    let view = RevealedView { credentials: object.map_or(Shown::Key(text), Shown::Object) };
    // Growing would leave copies behind that nobody wipes.
    let mut body = Vec::with_capacity(text.len() * MOST_ESCAPED + 64);
    serde_json::to_writer(&mut body, &view)
        .map_err(|_| ApiError::new(Code::Internal, "the secret cannot be written as JSON"))?;
    Ok(SecretBytes::new(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_text_and_a_cloud_credential_its_object() {
        for (stored, expected) in [
            ("sk-x", r#"{"credentials":"sk-x"}"#),
            ("a\"\u{1}b", r#"{"credentials":"a\"\u0001b"}"#),
            ("{not json", r#"{"credentials":"{not json"}"#),
            (r#"{"a":"x"}"#, r#"{"credentials":{"a":"x"}}"#),
        ] {
            let body = revealed(&SecretString::new(stored.to_owned())).unwrap();
            assert_eq!(String::from_utf8_lossy(body.plain()), expected);
        }
        let worst = "\u{1}".repeat(1000);
        let body = revealed(&SecretString::new(worst.clone())).unwrap();
        assert!(body.plain().len() > 6000 && body.plain().capacity() == worst.len() * MOST_ESCAPED + 64);
    }
}
