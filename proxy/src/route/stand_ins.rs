//! OpenRouter in the place of other providers: with their models, under OpenRouter's names, as far as prices are known.
//! Built once per catalog and shared by all projects; holds no key and makes no call.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use keyway_providers::{Catalog, Model, Provider, ProviderSpec, for_spec};

use super::endpoint::{ENDPOINTS, OPENROUTER};

/// OpenRouter in the place of one provider.
pub(crate) struct StandIn {
    pub(crate) spec: Arc<ProviderSpec>,
    pub(crate) provider: Arc<dyn Provider>,
    /// The provider's own paths of [`ENDPOINTS`], in that order.
    paths: [String; ENDPOINTS.len()],
    /// Path of its own chats.
    chat_path: String,
}

/// Stand-ins by provider.
pub(crate) type ByProvider = BTreeMap<String, Arc<StandIn>>;

/// Stand-ins of the catalog in use.
#[derive(Default)]
pub(crate) struct StandIns(Mutex<Option<(Arc<Catalog>, Arc<ByProvider>)>>);

impl StandIns {
    /// Returns a stand-in for each provider of the catalog with a known OpenRouter prefix.
    pub(crate) fn of(&self, catalog: &Arc<Catalog>) -> Arc<ByProvider> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some((of, them)) if Arc::ptr_eq(of, catalog) => Arc::clone(them),
            _ => {
                let made = catalog.get(OPENROUTER).into_iter().flat_map(|openrouter| {
                    let made =
                        move |it: &ProviderSpec| Some((it.name.clone(), Arc::new(StandIn::new(openrouter, it)?)));
                    catalog.providers().iter().filter_map(made)
                });
                let them: Arc<ByProvider> = Arc::new(made.collect());
                *kept = Some((Arc::clone(catalog), Arc::clone(&them)));
                them
            }
        }
    }
}

impl StandIn {
    /// Builds the stand-in of a provider; `None` if OpenRouter's prefix for it is unknown.
    pub(crate) fn new(openrouter: &ProviderSpec, provider: &ProviderSpec) -> Option<Self> {
        let author = provider.openrouter.clone()?;
        let priced = |model: &Model| {
            let listed = openrouter.model(&provider.model_at_openrouter(&model.name)?);
            let price = listed.and_then(|listed| listed.price.clone()).or_else(|| model.price.clone())?;
            Some(Model { price: Some(price), ..model.clone() })
        };
        let models = provider.models.iter().filter_map(priced).collect();
        let spec = ProviderSpec { models, openrouter: Some(author), ..openrouter.clone() };
        let base = provider.base_url.path().trim_end_matches('/');
        Some(Self {
            provider: for_spec(&spec),
            spec: Arc::new(spec),
            paths: ENDPOINTS.map(|endpoint| [base, &provider.endpoint(endpoint)].concat()),
            chat_path: [base, &provider.chat_endpoint()].concat(),
        })
    }

    /// Returns the OpenRouter endpoint that corresponds to this path of the provider, if any.
    pub(crate) fn endpoint_at(&self, path: &str) -> Option<&'static str> {
        ENDPOINTS.into_iter().zip(&self.paths).find(|(_, own)| *own == path).map(|(endpoint, _)| endpoint)
    }

    /// Returns the OpenRouter endpoint that corresponds to the provider's own chats, if any.
    pub(crate) fn chat_endpoint(&self) -> Option<&'static str> {
        self.endpoint_at(&self.chat_path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_of_openrouters_own_comes_first_and_an_unknown_one_makes_no_model() {
        let catalog = Catalog::load(None).unwrap();
        let (mut openrouter, mut openai) =
            (catalog.get(OPENROUTER).unwrap().clone(), catalog.get("openai").unwrap().clone());
        openai.models.push(Model::unpriced("new".to_owned()));
        let price = |spec: &ProviderSpec, model: &str| spec.model(model).and_then(|it| it.price.clone());
        let spec = StandIn::new(&openrouter, &openai).unwrap().spec;
        assert_eq!((spec.name.as_str(), spec.base_url.as_str()), (OPENROUTER, openrouter.base_url.as_str()));
        assert_eq!(price(&spec, "gpt-4o-mini"), price(&openai, "gpt-4o-mini"));
        assert!(spec.model("new").is_none(), "a budget could not hold it");
        let dear = price(&openai, "gpt-5.5");
        let named = Model { price: dear.clone(), ..Model::unpriced("openai/gpt-4o-mini".to_owned()) };
        openrouter.models.push(named);
        assert_eq!(price(&StandIn::new(&openrouter, &openai).unwrap().spec, "gpt-4o-mini"), dear);
        assert!(StandIn::new(&openrouter, catalog.get("mistral").unwrap()).is_none(), "nobody said by which names");
    }

    #[test]
    fn an_endpoint_is_known_by_the_providers_own_path() {
        let catalog = Arc::new(Catalog::load(None).unwrap());
        let them = StandIns::default().of(&catalog);
        for (provider, path, endpoint) in [
            ("openai", "/v1/chat/completions", Some("/chat/completions")),
            ("openai", "/v1/embeddings", Some("/embeddings")),
            ("openai", "/chat/completions", None),
            ("openai", "/v1/files", None),
            ("anthropic", "/v1/messages", None),
        ] {
            assert_eq!(them[provider].endpoint_at(path), endpoint, "{provider}{path}");
        }
        assert_eq!(them["openai"].chat_endpoint(), Some("/chat/completions"));
        assert_eq!(them["anthropic"].chat_endpoint(), None, "its chats have a shape of their own");
    }
}
