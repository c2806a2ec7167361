//! Completes a team's own base URL: SDKs and consoles show the same address with and without the version. Never changes
//! a host, nor a path that is not the provider's.

use url::Url;

use super::ProviderSpec;

const VERSIONS: [&str; 4] = ["/v1", "/v1beta", "/v2", "/v3"];

impl ProviderSpec {
    /// Returns the base URL that `own` stands for: a partial provider path is completed, and a version is removed where
    /// the endpoints' own paths include it. Any other path is kept.
    #[must_use]
    pub fn own_base_url(&self, mut own: Url) -> Url {
        let theirs = self.base_url.path().trim_end_matches('/');
        let given = own.path().trim_end_matches('/').to_owned();
        let is_part = theirs.strip_prefix(&given).is_some_and(|rest| rest.starts_with('/'));
        // Where OpenAI's shape is at the root, it is below a version as well.
        let names_versions = theirs.is_empty() && self.is_callable() && !self.speaks_openai();
        if is_part {
            own.set_path(theirs);
        } else if let Some(rest) = VERSIONS.iter().find_map(|version| given.strip_suffix(version))
            && names_versions
        {
            own.set_path(rest);
        }
        own
    }
}

#[cfg(test)]
mod tests {
    use super::super::Catalog;
    use url::Url;

    #[test]
    fn an_address_with_or_without_its_version_is_the_same_base() -> anyhow::Result<()> {
        let catalog = Catalog::load(None)?;
        for (provider, own, expected) in [
            ("openai", "https://h.dev", "https://h.dev/v1"),
            ("openai", "https://h.dev/v1/", "https://h.dev/v1/"),
            ("openai", "https://h.dev/own", "https://h.dev/own"),
            ("openai", "https://h.dev/own/v1", "https://h.dev/own/v1"),
            ("anthropic", "https://h.dev:8443/", "https://h.dev:8443/v1"),
            ("gemini", "https://h.dev", "https://h.dev/v1beta"),
            ("gemini", "https://h.dev/v1", "https://h.dev/v1"),
            ("openrouter", "https://h.dev", "https://h.dev/api/v1"),
            ("openrouter", "https://h.dev/api/", "https://h.dev/api/v1"),
            ("openrouter", "https://h.dev/ap", "https://h.dev/ap"),
            ("groq", "https://h.dev/openai", "https://h.dev/openai/v1"),
            ("azure_openai", "https://h.dev/openai/", "https://h.dev/openai/v1"),
            ("cohere", "https://h.dev/v2", "https://h.dev/"),
            ("cohere", "https://h.dev/own/v1/", "https://h.dev/own"),
            ("cohere", "https://h.dev", "https://h.dev/"),
            ("deepseek", "https://h.dev/v1", "https://h.dev/v1"),
        ] {
            let spec = catalog.get(provider).expect("a provider of the catalog");
            assert_eq!(spec.own_base_url(Url::parse(own)?).as_str(), expected, "{provider} at {own}");
        }
        Ok(())
    }
}
