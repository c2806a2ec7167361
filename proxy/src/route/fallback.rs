//! The operator's OpenRouter key as the last resort of projects that consented to it: the calls for which it may be
//! asked, and its stand-in for each provider, with or without a key of the project's own.
//!
//! Must never serve a project that did not consent, a call whose integrations their owner disabled, a model whose name
//! or price at OpenRouter is not known, or a body that has OpenRouter do anything but ask that model.

use std::{collections::BTreeMap, sync::Arc};

use keyway_domain::{IntegrationId, IntegrationStatus, Limits};
use keyway_providers::Catalog;
use keyway_store::projects::ProjectRow;
use keyway_telemetry::metrics;
use serde::{Deserialize, de::IgnoredAny};

use super::{
    endpoint::{OPENROUTER, shape},
    sources::Sources,
    stand_ins::StandIn,
    upstream::Upstream,
};
use crate::refusal::{Code, Refusal};

/// Outcome of asking with the operator's key.
#[derive(Clone, Copy)]
pub(crate) enum Asked {
    /// OpenRouter served the call.
    Served,
    /// OpenRouter refused the call.
    Refused,
    /// The project's budget is used up, or its state is unknown.
    Ceiling,
    /// OpenRouter was not asked, or did not answer.
    Failed,
}

impl Asked {
    /// Every outcome.
    pub(crate) const ALL: [Self; 4] = [Self::Served, Self::Refused, Self::Ceiling, Self::Failed];

    /// Returns the name in metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Refused => "refused",
            Self::Ceiling => "ceiling",
            Self::Failed => "failed",
        }
    }
}

/// The operator's key within one project.
pub(crate) struct Fallback {
    /// Stand-ins by the provider whose models they serve; all share the key and the budget.
    helpers: BTreeMap<String, Helper>,
    /// Reason why there is none, if there is none.
    missing: &'static str,
}

struct Helper {
    upstream: Arc<Upstream>,
    stand_in: Arc<StandIn>,
}

/// Stand-in that serves a call without an integration of the project.
pub(crate) struct Alone<'a, 'm> {
    /// Provider whose model it is.
    pub(crate) provider: &'a str,
    pub(crate) upstream: &'a Arc<Upstream>,
    /// Name of the model at its provider.
    pub(crate) model: &'m str,
}

impl Fallback {
    /// Builds the fallback of a project with these integrations and `custom` providers.
    pub(crate) fn new(
        project: Option<&ProjectRow>,
        own: &BTreeMap<String, Vec<Arc<Upstream>>>,
        custom: &[String],
        sources: &Sources,
        catalog: &Arc<Catalog>,
    ) -> Self {
        let none = |missing| Self { helpers: BTreeMap::new(), missing };
        let Some((project, budget)) = project.and_then(|row| Some((row, row.fallback_budget_nano_usd?))) else {
            return none(
                "the project has not consented to calls with the operator's key: its field `fallback` is null",
            );
        };
        let Some(key) = &sources.fallback_key else {
            return none("the operator has no key for this: KEYWAY_FALLBACK_OPENROUTER_KEY is not set");
        };
        let Some(openrouter) = catalog.get(OPENROUTER) else {
            return none("the models file has no provider openrouter");
        };
        let id = IntegrationId::of_fallback(project.id);
        let limits = Limits { monthly_budget_nano_usd: Some(budget), ..Limits::default() };
        let shared = sources.stand_ins.of(catalog);
        // A provider that the tenant made is another one than the catalog's, whatever it is called.
        let listed = shared.iter().filter(|(provider, _)| !custom.contains(provider));
        let made = listed.filter_map(|(provider, stand_in)| {
            let stand_in = match own.get(provider).and_then(|own| own.first()) {
                Some(own) if has_more_models(own, catalog) => Arc::new(StandIn::new(openrouter, &own.spec)?),
                _ => Arc::clone(stand_in),
            };
            let upstream =
                Upstream::fallback(&stand_in, (id, project.created_at), limits, Arc::clone(key), &sources.guard);
            Some((provider.clone(), Helper { upstream: Arc::new(upstream), stand_in }))
        });
        Self { helpers: made.collect(), missing: "nobody said by which names OpenRouter has the models of a provider" }
    }

    /// Returns `true` if there is any stand-in.
    pub(crate) fn exists(&self) -> bool {
        !self.helpers.is_empty()
    }

    /// Returns the upstream for a call of `model` at an OpenAI-shaped endpoint, to be asked if none of `offered`
    /// serves.
    ///
    /// # Errors
    /// Why nobody does.
    pub(crate) fn serving<'u>(
        &self,
        offered: impl IntoIterator<Item = &'u Arc<Upstream>> + Clone,
        endpoint: Option<&str>,
        model: Option<&str>,
    ) -> Result<&Arc<Upstream>, Refusal> {
        self.check_exists()?;
        let callable = offered.clone().into_iter().filter(|it| it.is_callable());
        if is_switched_off(callable) {
            return Err(switched_off());
        }
        let is_off = |it: &&Arc<Upstream>| it.is_callable() && it.status == IntegrationStatus::Disabled;
        let mut providers = offered.into_iter().filter(|it| !is_off(it)).map(|own| &own.spec.name);
        let helper = providers.find_map(|provider| self.helpers.get(provider)).ok_or_else(not_there)?;
        helper.serving(endpoint, model)
    }

    /// Returns the stand-in for a call of `model`, of this provider or of the only one that has it, at an OpenAI-shaped
    /// endpoint, if the project has no integration for it.
    ///
    /// # Errors
    /// Why nobody does.
    pub(crate) fn alone<'m>(
        &self,
        provider: Option<&str>,
        endpoint: Option<&str>,
        model: Option<&'m str>,
    ) -> Result<Alone<'_, 'm>, Refusal> {
        self.check_exists()?;
        let ((provider, helper), model) = match (provider, model) {
            (Some(provider), model) => {
                (self.helpers.get_key_value(provider).ok_or_else(not_there)?, model.unwrap_or_default())
            }
            (None, Some(model)) => self.having(model)?,
            (None, None) => return Err(unknown_model()),
        };
        Ok(Alone { provider, upstream: helper.serving(endpoint, Some(model))?, model })
    }

    /// Returns the OpenRouter endpoint that corresponds to this path of a provider; without a path, to that of its
    /// chats.
    pub(crate) fn endpoint_at(&self, provider: &str, path: Option<&str>) -> Option<&'static str> {
        let stand_in = &self.helpers.get(provider)?.stand_in;
        path.map_or_else(|| stand_in.chat_endpoint(), |path| stand_in.endpoint_at(path))
    }

    /// Returns the models of the fallback, each with its provider and its upstream.
    pub(crate) fn models(&self) -> impl Iterator<Item = (&str, &str, &Upstream)> {
        self.helpers.iter().flat_map(|(provider, Helper { upstream, .. })| {
            upstream.spec.models.iter().map(move |model| (provider.as_str(), model.name.as_str(), upstream.as_ref()))
        })
    }

    /// Returns `true` if `provider` may have a model that it does not list: not if OpenRouter has the provider's models
    /// and knows the model as another provider's.
    pub(crate) fn may_guess(&self, provider: &str, model: &str) -> bool {
        let is_anothers = || self.having(model).is_ok_and(|((other, _), _)| other != provider);
        !(self.helpers.contains_key(provider) && is_anothers())
    }

    fn having<'m>(&self, model: &'m str) -> Result<((&String, &Helper), &'m str), Refusal> {
        let mut having = self.helpers.iter().filter(|(_, helper)| helper.upstream.spec.model(model).is_some());
        match (having.next(), having.next()) {
            (Some(only), None) => Ok((only, model)),
            (Some(_), Some(_)) => Err(refused("several providers have this model: ask for provider/model")),
            (None, _) => {
                let (provider, rest) = model.split_once('/').ok_or_else(unknown_model)?;
                Ok((self.helpers.get_key_value(provider).ok_or_else(not_there)?, rest))
            }
        }
    }

    fn check_exists(&self) -> Result<(), Refusal> {
        if self.exists() { Ok(()) } else { Err(refused(self.missing)) }
    }
}

impl Helper {
    fn serving(&self, endpoint: Option<&str>, model: Option<&str>) -> Result<&Arc<Upstream>, Refusal> {
        let upstream = &self.upstream;
        if !endpoint.is_some_and(|endpoint| upstream.spec.can(shape(endpoint))) {
            return Err(refused("OpenRouter has no such endpoint"));
        }
        match model.and_then(|model| upstream.spec.model(model)) {
            Some(_) => Ok(upstream),
            None => Err(unknown_model()),
        }
    }
}

/// Returns `true` if there are integrations and all are disabled.
pub(crate) fn is_switched_off<'u>(callable: impl Iterator<Item = &'u Arc<Upstream>>) -> bool {
    let mut callable = callable.peekable();
    callable.peek().is_some() && callable.all(|it| it.status == IntegrationStatus::Disabled)
}

/// Returns the refusal for a disabled integration, whose calls the operator's key must not serve.
pub(crate) fn switched_off() -> Refusal {
    refused("the project's integrations that could serve this call are disabled by their owner")
}

fn not_there() -> Refusal {
    refused("OpenRouter has no models of this provider, or nobody said by which names")
}

fn unknown_model() -> Refusal {
    refused("the model's name at OpenRouter or its price is not known")
}

fn refused(why: &'static str) -> Refusal {
    Refusal::new(Code::NoFallback, why)
}

/// Returns `true` if the tenant has added models to those that the catalog lists.
fn has_more_models(own: &Upstream, catalog: &Catalog) -> bool {
    catalog.get(&own.spec.name).is_some_and(|listed| listed.models.len() != own.spec.models.len())
}

/// Creates the counters in advance: one that appears with its first event has no increase that an alert could see.
pub(crate) fn show_counters() {
    for outcome in Asked::ALL {
        metrics().proxy_fallbacks.with_label_values(&[outcome.name()]);
    }
}

/// Checks that a body has no fields that only OpenRouter knows: they lead to other models, hosts and services than the
/// one whose price is known, and the caller wrote them for another key than the operator's.
///
/// # Errors
/// It has one.
pub(crate) fn check_body(body: &[u8]) -> Result<(), Refusal> {
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

#[cfg(test)]
mod tests {
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
}
