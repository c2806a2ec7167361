//! The fields `config` and `meta` of integrations: parsing, changes and output. `config` changes how Keyway acts;
//! `meta` is the owner's own note. Neither may hold a secret: every reader of the integration sees both.

use keyway_store::integrations::{IntegrationRow, REDACT_ANSWERS, is_header_word};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{error::ApiError, input};

/// Largest note in bytes.
const MAX_META_BYTES: usize = 4096;
/// Provider whose calls get `organization` and `project` as headers.
const FORWARDED_TO: &str = "openai";

/// Settings of an integration. In a change, a field that is left out keeps its value.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfigInput {
    /// Base URL instead of the catalog's: https, or a host the operator trusts. It is bound to the credential: PATCH
    /// may repeat it, and only PUT .../credentials changes it (left out there: the catalog's).
    #[schema(max_length = 2048, example = "https://api.openai.com/v1")]
    pub(crate) base_url: Option<String>,
    /// The provider's own id of this key, as in an organisation's reports.
    #[schema(min_length = 1, max_length = 200, example = "key_abc123")]
    pub(crate) provider_key_id: Option<String>,
    /// OpenAI only: sent with calls as `OpenAI-Organization`, unless the caller sends that header; null: none.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200, example = "org-123")]
    #[serde(default, deserialize_with = "input::nullable")]
    organization: Option<Option<String>>,
    /// OpenAI only: sent with calls as `OpenAI-Project`, unless the caller sends that header; null: none.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200, example = "proj_123")]
    #[serde(default, deserialize_with = "input::nullable")]
    project: Option<Option<String>>,
    /// true: should the provider repeat the key in a good answer, its events or the messages of a WebSocket, each of
    /// its bytes becomes `*`, as always in headers and errors. Such answers are asked for without compression.
    redact_answers: Option<bool>,
}

/// Settings of an integration.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConfigView {
    /// Base URL instead of the catalog's; bound to the credential.
    base_url: Option<String>,
    /// The provider's own id of the key, given by the owner, or found when the key was verified.
    provider_key_id: Option<String>,
    /// Value of `OpenAI-Organization` in calls.
    organization: Option<String>,
    /// Value of `OpenAI-Project` in calls.
    project: Option<String>,
    /// true: the key is replaced in good answers, too, should the provider repeat it there.
    redact_answers: bool,
}

/// Checked changes to the stored settings.
#[derive(Default)]
pub(crate) struct Settings {
    pub(crate) provider_key_id: Option<String>,
    organization: Option<Option<String>>,
    project: Option<Option<String>>,
    redact_answers: Option<bool>,
}

/// The owner's note: a JSON object.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object)]
pub(crate) struct Meta(Map<String, Value>);

impl ConfigInput {
    /// Checks the settings except the base URL, which needs the provider.
    pub(crate) fn settings(self) -> Result<Settings, ApiError> {
        for (field, text) in [("organization", &self.organization), ("project", &self.project)] {
            if text.iter().flatten().any(|text| !is_header_word(text)) {
                let message = format!("`config.{field}` is the provider's id of it, like org-123: 1 to 200 characters");
                return Err(ApiError::field(message));
            }
        }
        Ok(Settings {
            provider_key_id: input::provider_key_id(self.provider_key_id)?,
            organization: self.organization,
            project: self.project,
            redact_answers: self.redact_answers,
        })
    }
}

impl Settings {
    /// Returns `true` if nothing would change.
    pub(crate) const fn is_empty(&self) -> bool {
        self.provider_key_id.is_none()
            && self.organization.is_none()
            && self.project.is_none()
            && self.redact_answers.is_none()
    }

    /// Applies the changes to the stored settings.
    ///
    /// # Errors
    /// 422 if the provider takes no organisation.
    pub(crate) fn over(self, provider: &str, before: &Value) -> Result<Value, ApiError> {
        let mut settings = before.as_object().cloned().unwrap_or_default();
        let key_id = self.provider_key_id.map(Some);
        match self.redact_answers {
            Some(true) => drop(settings.insert(REDACT_ANSWERS.to_owned(), true.into())),
            Some(false) => drop(settings.remove(REDACT_ANSWERS)),
            None => {}
        }
        for (field, text) in
            [("organization", self.organization), ("project", self.project), ("provider_key_id", key_id)]
        {
            match text {
                Some(Some(_)) if field != "provider_key_id" && provider != FORWARDED_TO => {
                    return Err(ApiError::field(format!("`config.{field}` is for keys of openai only")));
                }
                Some(Some(text)) => drop(settings.insert(field.to_owned(), text.into())),
                Some(None) => drop(settings.remove(field)),
                None => {}
            }
        }
        Ok(Value::Object(settings))
    }
}

impl Meta {
    /// Returns the note, if it is small enough for lists.
    pub(crate) fn checked(self) -> Result<Value, ApiError> {
        let note = Value::Object(self.0);
        if note.to_string().len() > MAX_META_BYTES {
            return Err(ApiError::field(format!("`meta` may have at most {MAX_META_BYTES} bytes as JSON")));
        }
        Ok(note)
    }
}

impl From<&IntegrationRow> for ConfigView {
    fn from(row: &IntegrationRow) -> Self {
        let text = |field: &str| row.config.get(field).and_then(Value::as_str).map(str::to_owned);
        Self {
            base_url: row.base_url.clone(),
            provider_key_id: text("provider_key_id"),
            organization: text("organization"),
            project: text("project"),
            redact_answers: row.redacts_answers(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings(config: Value) -> Result<Settings, ApiError> {
        serde_json::from_value::<ConfigInput>(config).unwrap().settings()
    }

    #[test]
    fn a_change_sets_takes_away_and_leaves() {
        let before = json!({"provider_key_id": "key_1", "organization": "org-1", "project": "proj_1"});
        let change = settings(json!({"organization": "org-2", "project": null})).unwrap();
        let after = change.over("openai", &before).unwrap();
        assert_eq!(after, json!({"provider_key_id": "key_1", "organization": "org-2"}));
        assert!(settings(json!({})).unwrap().is_empty() && !settings(json!({"project": null})).unwrap().is_empty());
        let redacting = settings(json!({"redact_answers": true})).unwrap().over("groq", &json!({})).unwrap();
        assert_eq!(redacting, json!({"redact_answers": true}));
        assert_eq!(settings(json!({"redact_answers": false})).unwrap().over("groq", &redacting).unwrap(), json!({}));
        assert_eq!(settings(json!({})).unwrap().over("groq", &redacting).unwrap(), redacting);
        let elsewhere = |change| settings(change).unwrap().over("groq", &json!({}));
        assert!(elsewhere(json!({"organization": "org-2"})).is_err());
        assert_eq!(
            elsewhere(json!({"organization": null, "provider_key_id": "k"})).unwrap(),
            json!({"provider_key_id": "k"})
        );
    }

    #[test]
    fn what_cannot_be_a_header_is_refused() {
        for bad in ["", "org 1", "org\r\nx: y", "örg", &"x".repeat(201)] {
            assert!(settings(json!({"organization": bad})).is_err(), "{bad:?}");
            assert!(settings(json!({"project": bad})).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_note_is_a_small_object() {
        let read = |note: Value| serde_json::from_value::<Meta>(note).map(Meta::checked);
        let note = json!({"team": "search", "nested": {"a": [1, null, 2.5]}});
        assert_eq!(read(note.clone()).unwrap().unwrap(), note);
        assert!(read(json!({"x": "y".repeat(5000)})).unwrap().is_err());
        for bad in [json!([]), json!("text"), json!(1)] {
            assert!(read(bad).is_err());
        }
    }
}
