//! Which provider a name means, and with that, where a key is sent.
//!
//! The tenant's own comes first: a name that the catalog took later must never lead its keys elsewhere.

use url::Url;

use super::{AuthStyle, Catalog, ProviderSpec};

/// What a name means.
#[derive(Clone, Copy, Debug)]
pub enum Resolved<'c, C> {
    /// The tenant's own provider.
    Custom(C),
    /// Builds the view of a provider of the catalog.
    Predefined(&'c ProviderSpec),
}

/// A tenant's own provider as it is stored.
#[derive(Clone, Copy, Debug)]
pub struct StoredProvider<'a> {
    /// Name.
    pub name: &'a str,
    /// Display name.
    pub display_name: &'a str,
    /// Where it is.
    pub base_url: &'a str,
    /// How a key is sent: the name of an [`AuthStyle`].
    pub auth: &'a str,
}

/// A stored provider that this build cannot call: a later one wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableProvider {
    /// Its base URL, or that of an integration, is none.
    #[error("a stored URL is not readable")]
    BaseUrl,
    /// How it takes keys is not known here.
    #[error("a stored auth style is not one of this build")]
    Auth,
}

impl Catalog {
    /// Says which provider a name means, given the tenant's own of that name; `None`: no provider has it.
    #[must_use]
    pub fn resolve<C>(&self, name: &str, custom: Option<C>) -> Option<Resolved<'_, C>> {
        match (custom, self.get(name)) {
            (Some(custom), _) => Some(Resolved::Custom(custom)),
            (None, Some(spec)) => Some(Resolved::Predefined(spec)),
            (None, None) => None,
        }
    }
}

impl StoredProvider<'_> {
    /// Reads it; `models` are those that its owner named.
    ///
    /// # Errors
    /// [`UnreadableProvider`]: it cannot be called.
    pub fn spec(&self, models: Vec<String>) -> Result<ProviderSpec, UnreadableProvider> {
        let base_url = Url::parse(self.base_url).map_err(|_| UnreadableProvider::BaseUrl)?;
        let auth = AuthStyle::named(self.auth).ok_or(UnreadableProvider::Auth)?;
        Ok(ProviderSpec::custom(self.name, self.display_name, base_url, auth, models))
    }
}

impl ProviderSpec {
    /// Where the key of an integration is sent: to the base URL of its own, to which it is bound, or to the provider's.
    ///
    /// # Errors
    /// [`UnreadableProvider::BaseUrl`]: it is sent nowhere.
    pub fn base_url_of(&self, own: Option<&str>) -> Result<Url, UnreadableProvider> {
        own.map_or_else(|| Ok(self.base_url.clone()), |own| Url::parse(own).map_err(|_| UnreadableProvider::BaseUrl))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str = "
providers:
  - { name: listed, display_name: Listed, kind: openai, base_url: https://listed.dev/v1 }
";

    #[test]
    fn a_key_is_sent_to_the_tenants_own_provider_and_to_its_own_url_first() {
        let catalog = Catalog::parse(YAML).expect("a catalog");
        let custom = |base_url, auth| Some(StoredProvider { name: "x", display_name: "X", base_url, auth });
        let own = custom("https://own.dev/v1/", "bearer");
        for (name, custom, own_url, expected) in [
            ("listed", None, None, Some(Ok("https://listed.dev/v1"))),
            ("listed", None, Some("https://mine.dev/v1"), Some(Ok("https://mine.dev/v1"))),
            ("listed", own, None, Some(Ok("https://own.dev/v1"))),
            ("listed", own, Some("https://mine.dev/v1"), Some(Ok("https://mine.dev/v1"))),
            ("own", own, None, Some(Ok("https://own.dev/v1"))),
            ("nobody", None, None, None),
            ("nobody", None, Some("https://mine.dev/v1"), None),
            // What cannot be read is an error, and never a reason to send the key to the catalog's.
            ("listed", custom("own.dev", "bearer"), None, Some(Err(UnreadableProvider::BaseUrl))),
            ("listed", custom("https://own.dev", "telepathy"), None, Some(Err(UnreadableProvider::Auth))),
            ("listed", None, Some("mine.dev"), Some(Err(UnreadableProvider::BaseUrl))),
        ] {
            let sent_to = catalog.resolve(name, custom).map(|resolved| {
                let spec = match resolved {
                    Resolved::Custom(stored) => stored.spec(Vec::new())?,
                    Resolved::Predefined(spec) => spec.clone(),
                };
                spec.base_url_of(own_url).map(String::from)
            });
            assert_eq!(sent_to, expected.map(|url| url.map(str::to_owned)), "{name} {custom:?} {own_url:?}");
        }
    }
}
