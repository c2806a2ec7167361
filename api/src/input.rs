//! Checks of single fields that several routes share. Each message names the field and the rule.

use keyway_domain::{Routing, Timestamp, is_invisible};
use keyway_providers::pasted;
use keyway_store::provider_models::NewModel;
use keyway_vault::{ProviderSecret, SecretString};
use serde::{Deserialize, Deserializer, de};
use utoipa::ToSchema;

use crate::error::ApiError;

const MAX_NAME_CHARS: usize = 100;
const MAX_REASON_CHARS: usize = 200;
const MAX_SLUG_CHARS: usize = 64;
const MAX_MODEL_CHARS: usize = 200;
const MAX_MODELS: usize = 500;

/// Segments of paths beside which the name of a provider stands.
const WORDS_OF_ROUTES: [&str; 8] = ["api", "models", "new", "proxy", "stream", "v1", "v1beta", "with-keys"];

/// Returns a trimmed display name: 1 to 100 characters that are all seen.
pub(crate) fn name(field: &'static str, text: &str) -> Result<String, ApiError> {
    let text = text.trim();
    let chars = text.chars().count();
    if chars == 0 || chars > MAX_NAME_CHARS || !text.chars().all(is_seen) {
        return Err(ApiError::field(format!("`{field}` must have 1 to {MAX_NAME_CHARS} characters, all printable")));
    }
    Ok(text.to_owned())
}

/// Returns a trimmed reason for the audit log: 1 to 200 characters that are all seen.
pub(crate) fn reason(text: &str) -> Result<String, ApiError> {
    let text = text.trim();
    let chars = text.chars().count();
    if chars == 0 || chars > MAX_REASON_CHARS || !text.chars().all(is_seen) {
        return Err(ApiError::field(format!("`reason` must have 1 to {MAX_REASON_CHARS} characters, all printable")));
    }
    Ok(text.to_owned())
}

/// Returns a provider's name, which becomes part of paths.
pub(crate) fn slug(field: &'static str, text: &str) -> Result<String, ApiError> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.');
    let starts = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    // An id's prefix would make a name look like the id of another provider.
    if !starts || text.len() > MAX_SLUG_CHARS || !text.bytes().all(allowed) || text.starts_with("prv_") {
        return Err(ApiError::field(format!(
            "`{field}` must have 1 to {MAX_SLUG_CHARS} characters of a-z, 0-9, '-', '_' and '.', and begin with a letter or digit"
        )));
    }
    Ok(text.to_owned())
}

/// Returns the name of a new provider, which is no word of a route that its name stands beside.
pub(crate) fn new_slug(field: &'static str, text: &str) -> Result<String, ApiError> {
    if WORDS_OF_ROUTES.contains(&text) {
        return Err(ApiError::field(format!("`{field}` must not be a word of Keyway's own paths, as {text} is")));
    }
    slug(field, text)
}

/// A model to add: its name, or an object with a display name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "a model's name, or an object with `name` and `display_name`")]
pub(crate) enum ModelInput {
    /// Name as its provider spells it.
    Name(String),
    // Described by its own type alone: with two descriptions the document would have two parts to merge.
    Named(#[schema(inline)] NamedModel),
}

/// A model with a display name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NamedModel {
    /// Name as its provider spells it.
    #[schema(min_length = 1, max_length = 200, example = "acme-1")]
    pub(crate) name: String,
    /// Display name.
    #[schema(min_length = 1, max_length = 100, example = "Acme One")]
    pub(crate) display_name: Option<String>,
}

/// Checks the models to add.
pub(crate) fn models(models: Vec<ModelInput>) -> Result<Vec<NewModel>, ApiError> {
    let bad = |model: &NewModel| {
        model.name.is_empty()
            || model.name.len() > MAX_MODEL_CHARS
            || model.name.chars().any(|it| !is_seen(it) || it.is_whitespace())
    };
    if models.len() > MAX_MODELS {
        return Err(ApiError::field(format!("`models` may name at most {MAX_MODELS} models at once")));
    }
    let models = models.into_iter().map(|model| match model {
        ModelInput::Name(name) => Ok(name.into()),
        ModelInput::Named(NamedModel { name: model, display_name }) => {
            let display_name = display_name.map(|text| name("display_name", &text)).transpose()?;
            Ok(NewModel { name: model, display_name })
        }
    });
    let models = models.collect::<Result<Vec<NewModel>, ApiError>>()?;
    if models.iter().any(bad) {
        return Err(ApiError::field(format!(
            "each of `models` must have 1 to {MAX_MODEL_CHARS} characters, without spaces"
        )));
    }
    Ok(models)
}

/// Returns an expiry, which must lie in the future.
pub(crate) fn expiry(at: Option<Timestamp>, now: Timestamp) -> Result<Option<Timestamp>, ApiError> {
    match at {
        Some(at) if at <= now => Err(ApiError::field("`expires_at` must lie in the future")),
        at => Ok(at),
    }
}

/// Returns the time to live of cached answers in seconds: at most a day.
pub(crate) fn cache_ttl(seconds: Option<i64>) -> Result<Option<i64>, ApiError> {
    match seconds {
        Some(seconds) if !(1..=86_400).contains(&seconds) => {
            Err(ApiError::field("`cache_ttl_seconds` must be a number from 1 to 86400, or null"))
        }
        seconds => Ok(seconds),
    }
}

/// Returns a provider's own id of a key: a word of printable characters.
pub(crate) fn provider_key_id(id: Option<String>) -> Result<Option<String>, ApiError> {
    const MAX_CHARS: usize = 200;
    match &id {
        Some(id) if id.is_empty() || id.len() > MAX_CHARS || !id.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err(ApiError::field("`config.provider_key_id` is the provider's id of the key, like key_abc123"))
        }
        _ => Ok(id),
    }
}

/// Returns an integration's priority among those that can serve the same call.
pub(crate) fn priority(priority: Option<i32>) -> Result<Option<i32>, ApiError> {
    within("priority", priority, 0, Routing::MAX_PRIORITY)
}

/// Returns an integration's share of the calls among those of its priority.
pub(crate) fn weight(weight: Option<i32>) -> Result<Option<i32>, ApiError> {
    within("weight", weight, 1, Routing::MAX_WEIGHT)
}

fn is_seen(sign: char) -> bool {
    !sign.is_control() && !is_invisible(sign)
}

fn within(field: &'static str, number: Option<i32>, least: i32, most: i32) -> Result<Option<i32>, ApiError> {
    match number {
        Some(number) if !(least..=most).contains(&number) => {
            Err(ApiError::field(format!("`{field}` must be a number from {least} to {most}")))
        }
        number => Ok(number),
    }
}

/// Deserializes null as `Some(None)`; a field that is left out stays `None`.
pub(crate) fn nullable<'de, T: Deserialize<'de>, D: Deserializer<'de>>(de: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(de).map(Some)
}

/// A key as text, or a cloud provider's credential as a JSON object. It goes in and never comes out.
#[derive(ToSchema)]
#[schema(as = Credentials)]
#[expect(dead_code, reason = "only the document knows it: a credential is read by [`Credentials`]")]
#[serde(untagged)]
pub(crate) enum CredentialsSchema {
    /// A key.
    #[schema(example = "sk-...")]
    Key(String),
    /// A cloud provider's credential.
    #[schema(value_type = Object)]
    Object(serde_json::Map<String, serde_json::Value>),
}

/// A credential: a key as text, or a cloud provider's credential as a JSON object.
#[derive(Debug)]
pub(crate) struct Credentials(ProviderSecret);

impl Credentials {
    /// Returns the secret to check and to seal: a key without surrounding blanks and invisible characters, an object as
    /// compact JSON.
    pub(crate) const fn secret(&self) -> &ProviderSecret {
        &self.0
    }
}

impl From<ProviderSecret> for Credentials {
    fn from(secret: ProviderSecret) -> Self {
        Self(secret)
    }
}

impl<'de> Deserialize<'de> for Credentials {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> de::Visitor<'de> for Either {
            type Value = Credentials;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a key as text, or an object")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Credentials, E> {
                Ok(Credentials(pasted(SecretString::new(text.to_owned()))))
            }

            fn visit_string<E: de::Error>(self, text: String) -> Result<Credentials, E> {
                Ok(Credentials(pasted(SecretString::new(text))))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Credentials, A::Error> {
                let object = serde_json::Map::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(Credentials(ProviderSecret::new(serde_json::Value::Object(object).to_string())))
            }
        }
        de.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes;

    #[test]
    fn names_and_slugs_have_their_rules() {
        assert_eq!(name("name", "  shop ").unwrap(), "shop");
        for bad in ["", "   ", "a\nb", "pay\u{202e}lla", "sh\u{200b}op", "\u{3164}", &"x".repeat(101)] {
            assert!(name("name", bad).is_err() && reason(&format!("{bad}\0")).is_err(), "{bad:?}");
        }
        assert!(reason("why\u{2066}").is_err());
        assert!(models(vec![ModelInput::Name("gpt\u{200b}".to_owned())]).is_err());
        for good in ["acme", "acme-2", "a.b_c", "9x"] {
            assert!(slug("name", good).is_ok(), "{good}");
        }
        for bad in ["", "Acme", "-a", "a/b", "a b", "prv_x", "é", &"x".repeat(65)] {
            assert!(slug("name", bad).is_err(), "{bad:?}");
        }
        assert!(expiry(Some(Timestamp::from_ms(5)), Timestamp::from_ms(5)).is_err());
    }

    #[test]
    fn a_new_provider_is_called_by_no_word_of_a_route() {
        let beside = |template: &str| {
            let rest = template.strip_prefix("/api/v1/providers/")?;
            rest.split('/').find(|segment| !segment.starts_with('{')).map(str::to_owned)
        };
        let words: Vec<_> = routes::all().iter().filter_map(|row| beside(row.template)).collect();
        assert!(words.len() > 2, "{words:?}");
        for word in words.iter().map(String::as_str).chain(["proxy", "v1"]) {
            assert!(new_slug("name", word).is_err() && slug("name", word).is_ok(), "{word}");
        }
        assert!(new_slug("name", "acme").is_ok() && new_slug("name", "Acme").is_err());
    }

    #[test]
    fn credentials_are_text_or_an_object_and_print_nothing() {
        let read = |json| serde_json::from_str::<Credentials>(json);
        assert_eq!(read(r#""sk-canary""#).unwrap().secret().expose(), "sk-canary");
        assert_eq!(read(r#""\ufeff sk-canary\u200b\r\n""#).unwrap().secret().expose(), "sk-canary");
        assert_eq!(read(r#"{"b": 1, "a": "x"}"#).unwrap().secret().expose(), r#"{"a":"x","b":1}"#);
        assert!(!format!("{:?}", read(r#""sk-canary""#).unwrap()).contains("canary"));
        for bad in ["1", "null", "[]", "true"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
