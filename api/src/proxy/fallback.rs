//! The operator's OpenRouter key as the last resort of projects that consented to it: for which of their calls it
//! may be asked, and as what.
//!
//! Must never serve a project that did not consent, a call whose integrations their owner switched off, a model whose
//! name or price at OpenRouter is not known, or a body that has OpenRouter do anything but ask that model.

use std::{collections::BTreeMap, sync::Arc};

use keyway_domain::{IntegrationId, IntegrationStatus, Limits, NanoUsd, ProjectId};
use keyway_providers::{Model, ProviderSpec};
use keyway_telemetry::metrics;
use serde::{Deserialize, de::IgnoredAny};

use super::{
    plan::shape,
    project::Sources,
    refusal::{Code, Refusal},
    upstream::Upstream,
};

/// The provider of the catalog that is asked.
pub(super) const OPENROUTER: &str = "openrouter";
/// What OpenRouter may have of OpenAI's shape, as far as the catalog says that it can; longest first, because an
/// endpoint is found by how a path ends.
pub(super) const ENDPOINTS: [&str; 3] = ["/chat/completions", "/completions", "/embeddings"];

/// What can come of asking with the operator's key.
#[derive(Clone, Copy)]
pub(super) enum Asked {
    /// It served.
    Served,
    /// OpenRouter would not have it.
    Refused,
    /// The ceiling leaves nothing for it, or nobody knows what it leaves.
    Ceiling,
    /// OpenRouter was not asked, or did not answer.
    Failed,
}

impl Asked {
    /// Every outcome.
    pub(super) const ALL: [Self; 4] = [Self::Served, Self::Refused, Self::Ceiling, Self::Failed];

    /// The text in metrics.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Refused => "refused",
            Self::Ceiling => "ceiling",
            Self::Failed => "failed",
        }
    }
}

/// What may help a project's own integrations out.
pub(super) struct Fallback {
    /// By the provider whose models they serve; all have the same key and the same ceiling.
    upstreams: BTreeMap<String, Arc<Upstream>>,
    /// Why there is none, where there is none.
    missing: &'static str,
}

impl Fallback {
    /// What helps out a project that has these integrations and consented to spend `budget` in a month.
    pub(super) fn new(
        project_id: ProjectId,
        budget: Option<NanoUsd>,
        own: &BTreeMap<String, Vec<Arc<Upstream>>>,
        sources: &Sources,
    ) -> Self {
        let none = |missing| Self { upstreams: BTreeMap::new(), missing };
        if budget.is_none() {
            return none(
                "the project has not consented to calls with the operator's key: its field `fallback` is null",
            );
        }
        let Some(key) = &sources.fallback_key else {
            return none("the operator has no key for this: KEYWAY_FALLBACK_OPENROUTER_KEY is not set");
        };
        let catalog = sources.catalog.now();
        let Some(openrouter) = catalog.get(OPENROUTER) else {
            return none("the models file has no provider openrouter");
        };
        let id = IntegrationId::of_fallback(project_id);
        let limits = Limits { monthly_budget_nano_usd: budget, ..Limits::default() };
        let made = own.iter().filter_map(|(provider, upstreams)| {
            let spec = standing_in(openrouter, &upstreams.first()?.spec)?;
            Some((provider.clone(), Arc::new(Upstream::fallback(spec, id, limits, Arc::clone(key), &sources.guard))))
        });
        Self { upstreams: made.collect(), missing: "OpenRouter has no models of the project's providers" }
    }

    /// Whether it can help out at all.
    pub(super) fn exists(&self) -> bool {
        !self.upstreams.is_empty()
    }

    /// Who serves a call of `model` at an endpoint of OpenAI's shape, should none of `offered` do so.
    ///
    /// # Errors
    /// Why nobody does.
    pub(super) fn serving<'u>(
        &self,
        offered: impl IntoIterator<Item = &'u Arc<Upstream>>,
        endpoint: Option<&str>,
        model: Option<&str>,
    ) -> Result<&Arc<Upstream>, Refusal> {
        let refused = |why| Refusal::new(Code::NoFallback, why);
        if !self.exists() {
            return Err(refused(self.missing));
        }
        let mut wanted = offered.into_iter().filter(|it| it.is_callable() && it.status != IntegrationStatus::Disabled);
        let Some(first) = wanted.next() else {
            return Err(refused("the project has no integration for this call that is not disabled"));
        };
        let mut providers = std::iter::once(first).chain(wanted).map(|own| &own.spec.name);
        let Some(upstream) = providers.find_map(|provider| self.upstreams.get(provider)) else {
            return Err(refused("OpenRouter has no models of this provider, or nobody said by which names"));
        };
        if !endpoint.is_some_and(|endpoint| upstream.spec.can(shape(endpoint))) {
            return Err(refused("OpenRouter has no such endpoint"));
        }
        match model.and_then(|model| upstream.spec.model(model)) {
            Some(_) => Ok(upstream),
            None => Err(refused("the model's name at OpenRouter or its price is not known")),
        }
    }
}

/// Counters that appear with their first event have no increase that an alert could see.
pub(super) fn show_counters() {
    for outcome in Asked::ALL {
        metrics().proxy_fallbacks.with_label_values(&[outcome.name()]);
    }
}

/// Refuses a body with fields that only OpenRouter has: they lead to other models, hosts and services than the one
/// whose price is known, and their caller wrote them for another key than the operator's.
///
/// # Errors
/// It has one.
pub(super) fn check_body(body: &[u8]) -> Result<(), Refusal> {
    let Steers { models, plugins, preset, provider, route, tools } = serde_json::from_slice(body)
        .map_err(|_| Refusal::new(Code::NoFallback, "the body is not read as it is meant"))?;
    let steers = [models, plugins, preset, provider, route].iter().any(Option::is_some);
    if steers || tools.unwrap_or_default().iter().any(|tool| tool.kind.starts_with("openrouter:")) {
        return Err(Refusal::new(Code::NoFallback, "the body has fields that only OpenRouter has"));
    }
    Ok(())
}

#[derive(Deserialize)]
struct Steers {
    models: Option<IgnoredAny>,
    plugins: Option<IgnoredAny>,
    preset: Option<IgnoredAny>,
    provider: Option<IgnoredAny>,
    route: Option<IgnoredAny>,
    tools: Option<Vec<Tool>>,
}

#[derive(Deserialize)]
struct Tool {
    #[serde(default, rename = "type")]
    kind: String,
}

/// OpenRouter with the models of another provider, under the names that this one gives them, as far as their prices
/// are known: OpenRouter's own, or else the provider's.
fn standing_in(openrouter: &ProviderSpec, provider: &ProviderSpec) -> Option<ProviderSpec> {
    let author = provider.openrouter.clone()?;
    let priced = |model: &Model| {
        let listed = openrouter.model(&provider.model_at_openrouter(&model.name)?);
        let price = listed.and_then(|listed| listed.price.clone()).or_else(|| model.price.clone())?;
        Some(Model { price: Some(price), ..model.clone() })
    };
    let models = provider.models.iter().filter_map(priced).collect();
    Some(ProviderSpec { models, openrouter: Some(author), ..openrouter.clone() })
}

#[cfg(test)]
mod tests {
    use keyway_providers::Catalog;

    use super::*;

    #[test]
    fn a_body_that_steers_openrouter_is_refused_however_it_is_written() {
        for (body, passes) in [
            (r#"{"model":"m","messages":[{"role":"user","content":"\"models\" and \"plugins\""}]}"#, true),
            (r#"{"tools":[{"type":"function","function":{"name":"route","parameters":{"provider":{}}}}]}"#, true),
            (r#"{"models":null,"tools":null}"#, true),
            (r#"{"models":["dear/model"]}"#, false),
            (r#"{"mod\u0065ls":["dear/model"]}"#, false),
            (r#"{"models":null,"models":["dear/model"]}"#, false),
            (r#"{"plugins":[{"id":"web"}]}"#, false),
            (r#"{"provider":{"order":["x"]}}"#, false),
            (r#"{"route":"fallback"}"#, false),
            (r#"{"preset":"x"}"#, false),
            (r#"{"tools":[{"type":"openr\u006futer:web_search"}]}"#, false),
            (r#"{"tools":{}}"#, false),
        ] {
            assert_eq!(check_body(body.as_bytes()).is_ok(), passes, "{body}");
        }
    }

    #[test]
    fn a_price_of_openrouters_own_comes_first_and_an_unknown_one_makes_no_model() {
        let catalog = Catalog::load(None).unwrap();
        let (mut openrouter, mut openai) =
            (catalog.get(OPENROUTER).unwrap().clone(), catalog.get("openai").unwrap().clone());
        openai.models.push(Model::unpriced("new".to_owned()));
        let price = |spec: &ProviderSpec, model: &str| spec.model(model).and_then(|it| it.price.clone());
        let spec = standing_in(&openrouter, &openai).unwrap();
        assert_eq!((spec.name.as_str(), spec.base_url.as_str()), (OPENROUTER, openrouter.base_url.as_str()));
        assert_eq!(price(&spec, "gpt-4o-mini"), price(&openai, "gpt-4o-mini"));
        assert!(spec.model("new").is_none(), "a budget could not hold it");
        let dear = price(&openai, "gpt-5.5");
        let named = Model { price: dear.clone(), ..Model::unpriced("openai/gpt-4o-mini".to_owned()) };
        openrouter.models.push(named);
        assert_eq!(price(&standing_in(&openrouter, &openai).unwrap(), "gpt-4o-mini"), dear);
        assert!(standing_in(&openrouter, catalog.get("mistral").unwrap()).is_none(), "nobody said by which names");
    }
}
