//! The upstreams of a project: its integrations of each provider, and the models of each.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use keyway_domain::{Limits, ProjectId, TenantId, Timestamp};
use keyway_providers::{Capability, LiveCatalog, Model, ProviderSpec, Resolved, StoredProvider};
use keyway_store::{Page, credentials, projects, provider_limits, provider_models, providers};

use super::{
    choice::Choice,
    endpoint::{ENDPOINTS, OPENROUTER, shape},
    fallback::{self, Alone, Fallback},
    sources::Sources,
    upstream::Upstream,
};
use crate::{
    refusal::{Code, Refusal},
    warm::Loaded,
};

/// The provider that has every endpoint of OpenAI's SDK.
const OPENAI: &str = "openai";

/// The upstreams of a project.
pub(crate) struct Project {
    /// Upstreams by provider.
    upstreams: BTreeMap<String, Vec<Arc<Upstream>>>,
    /// Custom providers of the tenant, used by the project or not.
    custom: Vec<String>,
    models: HashMap<String, Offer>,
    /// Limits of its virtual keys together.
    pub(crate) limits: Limits,
    /// The operator's key, for calls that its integrations do not serve.
    pub(crate) fallback: Fallback,
}

/// Upstreams that have a model.
#[derive(Default)]
struct Offer {
    upstreams: Vec<Arc<Upstream>>,
    /// `true` if several providers have it and none takes precedence: the caller must name one.
    ambiguous: bool,
}

/// Upstreams that have the requested model, and the model's name there if the caller's has the provider's name in
/// front.
pub(crate) struct Offered<'a> {
    pub(crate) upstreams: Vec<&'a Arc<Upstream>>,
    pub(crate) renamed: Option<&'a str>,
}

/// Capability that a provider needs for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// Endpoints of this shape.
    Of(Capability),
    /// All endpoints of OpenAI's SDK.
    OpenAi,
}

impl Sources {
    /// Loads a project.
    pub(crate) async fn project(
        self: &Arc<Self>,
        tenant_id: TenantId,
        project_id: ProjectId,
    ) -> Result<Loaded<Project>, Refusal> {
        let sources = Arc::clone(self);
        let load = async move { sources.outage.look_up(Project::load(&sources, tenant_id, project_id)).await };
        // On the heap: whoever waits for it is not to be as large as it is.
        self.home.run("project", Box::pin(load)).await?
    }
}

impl Project {
    /// Loads a project.
    async fn load(sources: &Sources, tenant_id: TenantId, project_id: ProjectId) -> Result<Loaded<Self>, Refusal> {
        let catalog = sources.catalog.now();
        let tx = sources.store.tenant_read(tenant_id).await?;
        let credentials = credentials::of_project(&tx, project_id).await?;
        let custom = providers::list(&tx, Page::first(Page::<()>::MAX)).await?.items;
        let models = provider_models::list(&tx, None).await?;
        let provider_limits = provider_limits::of_tenant(&tx).await?;
        let row = projects::find(&tx, project_id).await?;
        drop(tx);
        let extra = |provider: &str| -> Vec<String> {
            models.iter().filter(|row| row.provider == provider).map(|row| row.model.clone()).collect()
        };
        let mut upstreams: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for credential in credentials {
            let name = &credential.integration.provider;
            let spec = match catalog.resolve(name, custom.iter().find(|row| row.name == *name)) {
                Some(Resolved::Custom(row)) => {
                    let (display_name, base_url, auth) = (&row.display_name, &row.base_url, &row.auth);
                    StoredProvider { name, display_name, base_url, auth }.spec(extra(name))
                }
                Some(Resolved::Predefined(spec)) => Ok(with_models(spec, extra(name))),
                // Its provider left the catalog: the integration cannot be called any more.
                None => continue,
            };
            // What a later build wrote, this one cannot call.
            let Ok(mut spec) = spec else { continue };
            let Ok(base_url) = spec.base_url_of(credential.integration.base_url.as_deref()) else { continue };
            spec.base_url = base_url;
            let keys = sources.keys.unwrapped(credential.data_key.clone());
            let of_provider = provider_limits.iter().find(|row| row.provider == spec.name);
            let of_provider = of_provider.map(|row| (row.id, row.limits)).filter(|(_, limits)| !limits.is_empty());
            let upstream = Arc::new(Upstream::new(spec, credential, keys, of_provider, &sources.guard));
            upstream.report_unopened(&sources.audit, tenant_id);
            upstreams.entry(upstream.spec.name.clone()).or_default().push(upstream);
        }
        let custom: Vec<_> = custom.into_iter().map(|row| row.name).collect();
        let models = offers(&upstreams);
        let fallback = Fallback::new(row.as_ref(), &upstreams, &custom, sources, &catalog);
        let limits = row.map(|row| row.limits).unwrap_or_default();
        Ok(Loaded::present(Self { upstreams, custom, models, limits, fallback }, tenant_id.uuid()))
    }

    /// Returns the upstreams of a provider; at least one.
    pub(crate) fn by_provider(&self, name: &str, catalog: &LiveCatalog) -> Result<&[Arc<Upstream>], Refusal> {
        match self.upstreams.get(name) {
            Some(upstreams) => Ok(upstreams),
            None if catalog.now().get(name).is_some() || self.custom.iter().any(|custom| custom == name) => {
                Err(Refusal::new(Code::NoIntegration, "the project has no integration for this provider; add one"))
            }
            None => {
                Err(Refusal::new(Code::UnknownProvider, "no provider has this name; GET /api/v1/providers lists them"))
            }
        }
    }

    /// Returns the upstreams that serve a model in a language; at least one.
    pub(crate) fn by_model<'a>(&'a self, model: &'a str, language: Language) -> Result<Offered<'a>, Refusal> {
        let mut offered = match self.models.get(model) {
            Some(offer) => offer.offered()?,
            None => self.unlisted(model, language)?,
        };
        offered.upstreams.retain(|upstream| language.is_spoken_by(&upstream.spec));
        if offered.upstreams.is_empty() {
            return Err(Refusal::new(
                Code::NotCallable,
                "this model's provider has no such endpoint; call it by its own at /proxy/{provider}/{path}",
            ));
        }
        Ok(offered)
    }

    /// Returns the upstreams that serve OpenAI's endpoints without a model; at least one. `is_kept`: the call refers to
    /// an object that one of them keeps, so that all may be asked.
    pub(crate) fn by_family(&self, choice: &Choice<'_>, is_kept: bool) -> Result<Vec<&Arc<Upstream>>, Refusal> {
        let speaks = |it: &&Arc<Upstream>| is_usable(it) && it.spec.speaks_openai();
        let mut offered: Vec<_> = self.all().filter(speaks).collect();
        // OpenAI has all of them; others serve some.
        offered.sort_by_key(|it| it.spec.name != OPENAI);
        let is_chosen = |it: &&Arc<Upstream>| [choice.pinned, choice.keeper].contains(&Some(it.integration_id));
        if let Some(chosen) = offered.iter().find(|it| is_chosen(it)) {
            let provider = chosen.spec.name.clone();
            offered.retain(|it| it.spec.name == provider);
            return Ok(offered);
        }
        let Some(first) = offered.first().map(|it| it.spec.name.clone()) else {
            return Err(Refusal::new(
                Code::NoIntegration,
                "the project has no integration of OpenAI's shape that can serve this; add one",
            ));
        };
        let is_clear = first == OPENAI || offered.iter().all(|it| it.spec.name == first);
        if !is_kept && !is_clear {
            return Err(Refusal::new(
                Code::NoIntegration,
                "several of the project's providers could serve this and the call names no model: name an integration \
                 in x-keyway-integration, or call /proxy/{provider}/{path}",
            ));
        }
        if !is_kept {
            offered.retain(|it| it.spec.name == first);
        }
        Ok(offered)
    }

    /// Returns the models of the project by name, each with its provider and an upstream that has it.
    pub(crate) fn models(&self, now: Timestamp) -> Vec<(String, &str, &Upstream)> {
        let mut listed = Vec::new();
        for upstream in self.all().filter(|it| it.serves(now).is_ok()) {
            for Model { name, .. } in &upstream.spec.models {
                let ambiguous = self.models.get(name).is_some_and(|offer| offer.ambiguous);
                let id = if ambiguous { format!("{}/{name}", upstream.spec.name) } else { name.clone() };
                listed.push((id, upstream.spec.name.as_str(), upstream.as_ref()));
            }
        }
        let speaking = self.speaking(Language::Of(Capability::Chat));
        for (provider, name, upstream) in self.fallback.models() {
            let endpoint = ENDPOINTS.into_iter().find(|endpoint| upstream.spec.can(shape(endpoint)));
            let goes_to_own = is_of_one(&speaking) && self.fallback.may_guess(&speaking[0].spec.name, name);
            let is_served = match self.models.get(name) {
                Some(offer) => self.fallback.serving(&offer.upstreams, endpoint, Some(name)).is_ok(),
                None => !goes_to_own && self.helped_out(None, endpoint, Some(name)).is_ok(),
            };
            if is_served {
                listed.push((name.to_owned(), provider, upstream));
            }
        }
        listed.sort_by(|a, b| a.0.cmp(&b.0));
        listed.dedup_by(|a, b| a.0 == b.0);
        listed
    }

    /// Returns the operator's stand-in for a call without an integration: of this provider, or of the one that has the
    /// model.
    ///
    /// # Errors
    /// Why nobody does.
    pub(crate) fn helped_out<'m>(
        &self,
        provider: Option<&str>,
        endpoint: Option<&str>,
        model: Option<&'m str>,
    ) -> Result<Alone<'_, 'm>, Refusal> {
        let alone = self.fallback.alone(provider, endpoint, model)?;
        let has_it = |it: &Arc<Upstream>| is_usable(it) && it.spec.model(alone.model).is_some();
        if provider.is_none() && self.all().any(has_it) {
            return Err(several());
        }
        let callable = |of: Option<&str>| {
            let of = of.map(str::to_owned);
            self.all().filter(move |it| it.is_callable() && of.as_ref().is_none_or(|of| it.spec.name == *of))
        };
        // An owner who switched off the last key wants no calls; nor of a provider whose keys are all off.
        let of = [None, Some(alone.provider), Some(OPENROUTER)];
        if of.into_iter().any(|of| fallback::is_switched_off(callable(of))) {
            return Err(fallback::switched_off());
        }
        Ok(alone)
    }

    /// Returns the upstreams that could serve a call in this language, whatever its model.
    fn speaking(&self, language: Language) -> Vec<&Arc<Upstream>> {
        self.all().filter(|it| is_usable(it) && language.is_spoken_by(&it.spec)).collect()
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.upstreams.values().flatten()
    }

    /// Finds an unlisted model: a dated snapshot, a name with a provider's name in front, a name in OpenRouter's form,
    /// or any name if there is only one provider.
    fn unlisted<'a>(&'a self, model: &'a str, language: Language) -> Result<Offered<'a>, Refusal> {
        let known: Vec<_> = self.all().filter(|it| is_usable(it) && it.spec.model(model).is_some()).collect();
        if !known.is_empty() {
            return if is_ambiguous(known.iter().copied()) { Err(several()) } else { Ok(Offered::plain(known)) };
        }
        let openrouter = self.upstreams.get(OPENROUTER).filter(|them| them.iter().any(|it| is_usable(it)));
        if let Some((provider, rest)) = model.split_once('/') {
            // Its names are all of the form author/model, perhaps with a variant behind a colon.
            let is_its_own = provider == OPENROUTER && !rest.contains('/') || rest.contains(':');
            match (self.upstreams.get(provider), openrouter) {
                (_, Some(openrouter)) if is_its_own => return Ok(Offered::plain(openrouter.iter().collect())),
                (Some(own), _) => return Ok(Offered { upstreams: own.iter().collect(), renamed: Some(rest) }),
                (None, Some(openrouter)) => return Ok(Offered::plain(openrouter.iter().collect())),
                (None, None) => {}
            }
        }
        let speaking = self.speaking(language);
        let is_guess = speaking.first().is_some_and(|it| self.fallback.may_guess(&it.spec.name, model));
        if is_guess && is_of_one(&speaking) {
            return Ok(Offered::plain(speaking));
        }
        Err(Refusal::model("no integration of the project serves this model; GET /v1/models lists them"))
    }
}

impl Offer {
    fn offered(&self) -> Result<Offered<'_>, Refusal> {
        if self.ambiguous { Err(several()) } else { Ok(Offered::plain(self.upstreams.iter().collect())) }
    }
}

impl<'a> Offered<'a> {
    const fn plain(upstreams: Vec<&'a Arc<Upstream>>) -> Self {
        Self { upstreams, renamed: None }
    }
}

fn several() -> Refusal {
    Refusal::model(
        "several of the project's providers have this model; ask for provider/model, or give one a lower priority",
    )
}

impl Language {
    /// Returns `true` if such a call makes sense there. A provider may serve more of OpenAI's endpoints than the
    /// catalog knows.
    fn is_spoken_by(self, spec: &ProviderSpec) -> bool {
        match self {
            Self::Of(shape) => spec.can(shape) || (shape != Capability::Messages && spec.can(Capability::Chat)),
            Self::OpenAi => spec.speaks_openai(),
        }
    }
}

fn offers(upstreams: &BTreeMap<String, Vec<Arc<Upstream>>>) -> HashMap<String, Offer> {
    let mut offers: HashMap<String, Offer> = HashMap::new();
    for upstream in upstreams.values().flatten() {
        for model in &upstream.spec.models {
            offers.entry(model.name.clone()).or_default().upstreams.push(Arc::clone(upstream));
        }
    }
    for offer in offers.values_mut() {
        // Those that cannot serve come last, to be named in the refusal when nobody else has the model.
        offer.upstreams.sort_by_key(|it| !is_usable(it));
        let usable = offer.upstreams.partition_point(|it| is_usable(it));
        let counted = if usable == 0 { &offer.upstreams[..] } else { &offer.upstreams[..usable] };
        offer.ambiguous = is_ambiguous(counted);
    }
    offers
}

/// Returns `true` if the upstreams of the lowest priority belong to several providers.
fn is_ambiguous<'a>(upstreams: impl IntoIterator<Item = &'a Arc<Upstream>> + Clone) -> bool {
    let lowest = upstreams.clone().into_iter().map(|it| it.routing.priority).min();
    let first = upstreams.into_iter().filter(|it| Some(it.routing.priority) == lowest);
    first.map(|it| &it.spec.name).collect::<BTreeSet<_>>().len() > 1
}

/// Returns `true` if all are of one provider.
fn is_of_one(upstreams: &[&Arc<Upstream>]) -> bool {
    upstreams.first().is_some_and(|first| upstreams.iter().all(|it| it.spec.name == first.spec.name))
}

fn is_usable(upstream: &Upstream) -> bool {
    upstream.may_serve && upstream.is_callable()
}

fn with_models(spec: &ProviderSpec, extra: Vec<String>) -> ProviderSpec {
    let mut spec = spec.clone();
    for name in extra {
        if !spec.models.iter().any(|model| model.name == name) {
            spec.models.push(Model::unpriced(name));
        }
    }
    spec
}
