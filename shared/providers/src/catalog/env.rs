//! Usual names of the environment variables that hold a provider's credentials, so that a team's keys can be imported
//! from them. Reads no variable itself.

use std::path::PathBuf;

use keyway_vault::{ProviderSecret, SecretString};
use url::Url;

use super::{Catalog, EnvNames, ProviderSpec};
use crate::pasted;

/// A credential found in variables.
#[derive(Debug)]
pub struct EnvCredential<'c> {
    /// Provider of the credential.
    pub provider: &'c ProviderSpec,
    /// Name of the variable; of several, the first.
    pub variable: &'c str,
    /// Place of the credential.
    pub place: EnvPlace,
    /// Base URL of the credential, completed by [`ProviderSpec::own_base_url`].
    pub base_url: Option<String>,
}

/// Place of a credential.
#[derive(Debug)]
pub enum EnvPlace {
    /// In the variable: a key, or the JSON text of an object.
    Here(ProviderSecret),
    /// In the file at this path.
    File(PathBuf),
}

impl Catalog {
    /// Returns the credentials found in variables, in the catalog's order. `variable` returns the value of a variable
    /// that is set and not empty.
    #[must_use]
    pub fn credentials_in(&self, variable: impl Fn(&str) -> Option<SecretString>) -> Vec<EnvCredential<'_>> {
        self.providers().iter().flat_map(|spec| credentials_of(spec, &variable)).collect()
    }
}

fn credentials_of<'c>(
    spec: &'c ProviderSpec,
    variable: &impl Fn(&str) -> Option<SecretString>,
) -> Vec<EnvCredential<'c>> {
    let names = &spec.env;
    let base_url = names.base_url.as_deref().and_then(variable).map(|url| whole(url.plain(), spec));
    let found =
        |variable: &'c str, place| EnvCredential { provider: spec, variable, place, base_url: base_url.clone() };
    let keys = names.key.iter().filter_map(|name| Some(found(name, EnvPlace::Here(pasted(variable(name)?)))));
    let files = names.file.iter().filter_map(|name| Some(found(name, EnvPlace::File(variable(name)?.plain().into()))));
    keys.chain(files).chain(object(names, variable).map(|(name, text)| found(name, EnvPlace::Here(text)))).collect()
}

/// Returns the JSON object of the fields that are set, and the name of the first of their variables.
fn object<'c>(
    names: &'c EnvNames,
    variable: &impl Fn(&str) -> Option<SecretString>,
) -> Option<(&'c str, ProviderSecret)> {
    let set: Vec<_> =
        names.fields.iter().filter_map(|(field, name)| Some((field, name.as_str(), variable(name)?))).collect();
    let is_set = |field: &String| set.iter().any(|(set, ..)| *set == field);
    if !names.fields.keys().all(|field| is_set(field) || names.optional.contains(field)) {
        return None;
    }
    let (_, first, _) = set.first()?;
    let object: serde_json::Map<_, _> =
        set.iter().map(|(field, _, value)| ((*field).clone(), value.plain().as_str().into())).collect();
    Some((*first, ProviderSecret::new(serde_json::Value::Object(object).to_string())))
}

/// Completes a base URL; a text that is no URL is returned unchanged, to be refused where it is used.
fn whole(text: &str, spec: &ProviderSpec) -> String {
    Url::parse(text).map_or_else(|_| text.to_owned(), |url| spec.own_base_url(url).into())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const YAML: &str = "
providers:
  - { name: a, display_name: A, kind: openai, base_url: https://a.dev/v1, env: { key: [A_KEY, A_OLD_KEY], base_url: A_URL } }
  - { name: b, display_name: B, kind: openai, base_url: https://b.dev, env: { fields: { id: B_ID, secret: B_SECRET, zone: B_ZONE }, optional: [zone] } }
  - { name: c, display_name: C, kind: openai, base_url: https://c.dev, env: { file: [C_FILE] } }
  - { name: d, display_name: D, kind: openai, base_url: https://d.dev }
";

    fn found(variables: &[(&str, &str)]) -> Vec<(String, String, String, Option<String>)> {
        let variables: HashMap<_, _> = variables.iter().copied().collect();
        let catalog = Catalog::parse(YAML).expect("a catalog");
        let variable = |name: &str| variables.get(name).map(|value| SecretString::new((*value).to_owned()));
        let shown = |place| match place {
            EnvPlace::Here(secret) => secret.expose().to_owned(),
            EnvPlace::File(path) => format!("in {}", path.display()),
        };
        let found = catalog.credentials_in(variable);
        found
            .into_iter()
            .map(|one| (one.provider.name.clone(), one.variable.to_owned(), shown(one.place), one.base_url))
            .collect()
    }

    #[test]
    fn credentials_are_found_under_the_names_of_their_provider() {
        let own = |provider: &str, variable: &str, text: &str, url: Option<&str>| {
            (provider.to_owned(), variable.to_owned(), text.to_owned(), url.map(str::to_owned))
        };
        assert_eq!(found(&[("A_URL", "https://x.dev"), ("D_KEY", "k")]), []);
        assert_eq!(
            found(&[("A_KEY", "k1"), ("A_OLD_KEY", "k2"), ("A_URL", "https://x.dev"), ("C_FILE", "/tmp/c.json")]),
            [
                own("a", "A_KEY", "k1", Some("https://x.dev/v1")),
                own("a", "A_OLD_KEY", "k2", Some("https://x.dev/v1")),
                own("c", "C_FILE", "in /tmp/c.json", None),
            ]
        );
        assert_eq!(found(&[("B_ID", "i"), ("B_ZONE", "z")]), [], "half a credential is none");
        let escaped = own("b", "B_ID", r#"{"id":"i","secret":"s\""}"#, None);
        assert_eq!(found(&[("B_ID", "i"), ("B_SECRET", "s\"")]), [escaped]);
        let whole = own("b", "B_ID", r#"{"id":"i","secret":"s","zone":"z"}"#, None);
        assert_eq!(found(&[("B_ID", "i"), ("B_SECRET", "s"), ("B_ZONE", "z")]), [whole]);
        let kept = found(&[("A_KEY", "k"), ("A_URL", "https://x.dev/own/v2")]);
        assert_eq!(kept, [own("a", "A_KEY", "k", Some("https://x.dev/own/v2"))]);
    }
}
