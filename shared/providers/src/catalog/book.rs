//! The predefined providers, as one file of them says. Never changed: another one takes its place whole.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use keyway_domain::{NanoUsd, PriceTerms, Timestamp, TokenCounts};
use sha2::{Digest, Sha256};

use super::{CatalogError, Price, ProviderSpec, file};

const COMPILED_IN: &str = include_str!("../../../../models.yaml");

/// The predefined providers.
#[derive(Clone, Debug)]
pub struct Catalog {
    providers: Vec<ProviderSpec>,
    by_name: HashMap<String, usize>,
    price_version: String,
}

impl Catalog {
    /// Returns the catalog from `file`, or the one that is compiled in.
    ///
    /// # Errors
    /// See [`CatalogError`]; nothing of a faulty file is used.
    pub fn load(file: Option<&Path>) -> Result<Self, CatalogError> {
        match file {
            None => Self::parse(COMPILED_IN),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|source| CatalogError::Read { path: path.to_owned(), source })?;
                Self::parse(&text)
            }
        }
    }

    /// Returns the catalog from the text of a models file.
    ///
    /// # Errors
    /// See [`CatalogError`].
    pub fn parse(yaml: &str) -> Result<Self, CatalogError> {
        let providers = file::read(yaml)?;
        let by_name = providers.iter().enumerate().map(|(index, spec)| (spec.name.clone(), index)).collect();
        let price_version = price_version(&providers);
        Ok(Self { providers, by_name, price_version })
    }

    /// Returns the hosts that providers are called at, without those that only a credential names.
    #[must_use]
    pub fn hosts(&self) -> HashSet<String> {
        let named = self.providers.iter().filter(|spec| !spec.needs_base_url);
        named.filter_map(|spec| spec.base_url.host_str().map(str::to_owned)).collect()
    }

    /// Returns every provider, in the file's order.
    #[must_use]
    pub fn providers(&self) -> &[ProviderSpec] {
        &self.providers
    }

    /// Returns the provider of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&ProviderSpec> {
        self.by_name.get(name).and_then(|index| self.providers.get(*index))
    }

    /// Returns the price of `model` at `provider`; `None`: unknown. A dated snapshot (`gpt-4o-mini-2024-07-18`) has its
    /// model's price unless it has one of its own.
    #[must_use]
    pub fn price(&self, provider: &str, model: &str) -> Option<&Price> {
        self.get(provider)?.model(model)?.price.as_ref()
    }

    /// Returns the cost in nano-USD of these tokens on these terms for a call that came in at `at`; `None`: unknown.
    #[must_use]
    pub fn cost(
        &self,
        provider: &str,
        model: &str,
        tokens: &TokenCounts,
        terms: &PriceTerms,
        at: Timestamp,
    ) -> Option<NanoUsd> {
        self.priced_model(provider, Some(model), None)?.price.as_ref()?.cost(tokens, terms, at)
    }

    /// Returns a short hash of every price; stored with a cost, it identifies the price list used.
    #[must_use]
    pub fn price_version(&self) -> &str {
        &self.price_version
    }
}

fn price_version(providers: &[ProviderSpec]) -> String {
    let mut lines: Vec<String> = providers
        .iter()
        .flat_map(|provider| provider.models.iter().map(move |model| (provider, model)))
        .map(|(provider, model)| {
            let price = model.price.as_ref().map(Price::version_text).unwrap_or_default();
            format!("{}\0{}\0{price}\n", provider.name, model.name)
        })
        .collect();
    lines.sort_unstable();
    let digest = Sha256::digest(lines.concat());
    keyway_vault::to_hex(&digest[..6])
}
