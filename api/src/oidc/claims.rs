//! A person as the issuer describes it: identity, verified address, name, and the values that its role is read from.

use keyway_domain::{Email, Role};
use serde_json::{Map, Value};

use super::{OidcError, OidcSettings};

const MAX_NAME_CHARS: usize = 100;
const MOST_VALUES: usize = 1000;

/// Person whom the issuer vouches for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Person {
    /// Identity at the issuer, which never changes and is given to nobody else.
    pub(crate) subject: String,
    pub(crate) email: Email,
    pub(crate) name: String,
    /// Role that it begins with, if it has one.
    pub(crate) role: Option<Role>,
}

/// Reads the person from its claims.
///
/// # Errors
/// [`OidcError`] where the address is not verified or of no allowed domain.
pub(crate) fn person(claims: &Map<String, Value>, settings: &OidcSettings) -> Result<Person, OidcError> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let email: Email = text("email").and_then(|email| email.parse().ok()).ok_or(OidcError::Email)?;
    // Some issuers write booleans as text.
    if !claims.get("email_verified").is_some_and(|value| *value == true || *value == "true") {
        return Err(OidcError::Email);
    }
    if !settings.allows(&email) {
        return Err(OidcError::Domain);
    }
    let values = match claims.get(&settings.role_claim) {
        Some(Value::String(value)) => vec![value.clone()],
        Some(Value::Array(all)) => {
            all.iter().take(MOST_VALUES).filter_map(|value| value.as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    };
    let name = ["name", "preferred_username"].into_iter().find_map(text);
    let name: String = name.unwrap_or_default().chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect();
    let name = match name.trim() {
        "" => email.as_given().chars().take(MAX_NAME_CHARS).collect(),
        name => name.to_owned(),
    };
    let subject = text("sub").unwrap_or_default().to_owned();
    Ok(Person { subject, email, name, role: settings.role_of(&values) })
}

#[cfg(test)]
mod tests {
    use keyway_vault::SecretString;
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_verified_address_of_an_allowed_domain_is_taken() {
        let client = ("kw", SecretString::new("s".to_owned()));
        let roles = ("groups", "ops=operator");
        let settings = OidcSettings::read("https://id", client, "example.org", roles, "").unwrap();
        let of =
            |claims: Value| person(claims.as_object().unwrap(), &settings).map(|person| (person.name, person.role));
        let ana = "ana@example.org";
        for (claims, expected) in [
            (json!({ "email": ana, "email_verified": true, "name": "Ana" }), Ok(("Ana", None))),
            (json!({ "email": ana, "email_verified": "true", "groups": "ops" }), Ok((ana, Some(Role::Operator)))),
            (
                json!({ "email": ana, "email_verified": true, "groups": ["x", "ops"], "name": " \n" }),
                Ok((ana, Some(Role::Operator))),
            ),
            (json!({ "email": ana }), Err(OidcError::Email)),
            (json!({ "email": ana, "email_verified": "false" }), Err(OidcError::Email)),
            (json!({ "email": ana, "email_verified": 1 }), Err(OidcError::Email)),
            (json!({ "email_verified": true }), Err(OidcError::Email)),
            (json!({ "email": "ana@evil.net", "email_verified": true }), Err(OidcError::Domain)),
        ] {
            let expected = expected.map(|(name, role): (&str, _)| (name.to_owned(), role));
            assert_eq!(of(claims.clone()), expected, "{claims}");
        }
    }
}
