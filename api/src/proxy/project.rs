//! What a project can call: its best integration for each provider, and which of them serves a model.

use std::{collections::HashMap, sync::Arc};

use keyway_domain::{IntegrationStatus, Timestamp};
use keyway_providers::{AuthStyle, Capability, Catalog, LiveCatalog, Model, ProviderSpec, guard::Guard};
use keyway_store::{Page, Store, TenantKeyCache, credentials, provider_models, providers};
use url::Url;

use super::{
    caller::Principal,
    refusal::{Code, Refusal},
    upstream::Upstream,
    warm::Loaded,
};

/// The upstreams of a project, at most one per provider.
pub(super) struct Project {
    upstreams: Vec<Arc<Upstream>>,
    /// Providers that the tenant made, whether the project uses them or not.
    custom: Vec<String>,
    models: HashMap<String, Offer>,
}

/// Who serves a model.
#[derive(Clone, Copy)]
enum Offer {
    /// This upstream.
    One(usize),
    /// Several of them: the caller has to say which.
    Several,
}

/// What is needed to read a project.
pub(super) struct Sources {
    pub(super) store: Store,
    pub(super) keys: TenantKeyCache,
    pub(super) catalog: LiveCatalog,
    pub(super) guard: Guard,
}

impl Project {
    /// Reads the project of a principal.
    pub(super) async fn load(sources: &Sources, principal: &Principal) -> Result<Loaded<Self>, Refusal> {
        if let Some(reason) = sources.keys.vault().sealed_reason() {
            return Err(keyway_vault::VaultError::Sealed(reason.to_owned()).into());
        }
        let catalog = sources.catalog.now();
        let tx = sources.store.tenant_read(principal.tenant_id).await?;
        let credentials = credentials::best_of_project(&tx, principal.project_id).await?;
        let custom = providers::list(&tx, Page::first(Page::<()>::MAX)).await?.items;
        let models = provider_models::list(&tx, None).await?;
        drop(tx);
        let extra = |provider: &str| -> Vec<String> {
            models.iter().filter(|row| row.provider == provider).map(|row| row.model.clone()).collect()
        };
        let mut upstreams = Vec::with_capacity(credentials.len());
        for credential in credentials {
            let name = &credential.integration.provider;
            // The tenant's own comes first: a name that the catalog took later must not lead its key elsewhere.
            let spec = match (custom.iter().find(|row| row.name == *name), catalog.get(name)) {
                (Some(row), _) => match (Url::parse(&row.base_url), AuthStyle::named(&row.auth)) {
                    (Ok(url), Some(auth)) => ProviderSpec::custom(name, &row.display_name, url, auth, extra(name)),
                    // What a later build wrote, this one cannot call.
                    _ => continue,
                },
                (None, Some(spec)) => with_models(spec, extra(name)),
                // Its provider left the catalog: the integration cannot be called any more.
                (None, None) => continue,
            };
            let Some(spec) = at_own_url(spec, credential.integration.base_url.as_deref()) else { continue };
            let keys = sources.keys.unwrapped(credential.data_key.clone()).ok();
            upstreams.push(Arc::new(Upstream::new(spec, credential, keys, &sources.guard)));
        }
        let custom = custom.into_iter().map(|row| row.name).collect();
        let models = offers(&upstreams);
        Ok(Loaded::present(Self { upstreams, custom, models }, principal.tenant_id.uuid()))
    }

    /// The upstream for a provider's name.
    pub(super) fn by_provider(&self, name: &str, catalog: &Catalog, now: Timestamp) -> Result<&Arc<Upstream>, Refusal> {
        let Some(upstream) = self.named(name) else {
            return Err(if catalog.get(name).is_some() || self.custom.iter().any(|custom| custom == name) {
                Refusal::new(Code::NoIntegration, "the project has no integration for this provider; add one")
            } else {
                Refusal::new(Code::UnknownProvider, "no provider has this name; GET /api/v1/providers lists them")
            });
        };
        upstream.serves(now)?;
        if !upstream.spec.is_callable() {
            return Err(Refusal::new(Code::NotCallable, "these credentials only report usage; they cannot be called"));
        }
        Ok(upstream)
    }

    /// The upstream that serves a model in a shape, and the model's name there when the caller's has the
    /// provider's name in front.
    pub(super) fn by_model<'a>(
        &'a self,
        model: &'a str,
        shape: Capability,
        now: Timestamp,
    ) -> Result<(&'a Arc<Upstream>, Option<&'a str>), Refusal> {
        let found = match self.models.get(model).copied().or_else(|| self.snapshot(model)) {
            Some(Offer::One(at)) => self.upstreams.get(at).map(|upstream| (upstream, None)),
            Some(Offer::Several) => {
                return Err(Refusal::model(
                    "several of the project's providers have this model; ask for provider/model",
                ));
            }
            None => self.prefixed(model).or_else(|| Some((self.only_one(shape)?, None))),
        };
        let Some((upstream, renamed)) = found else {
            return Err(Refusal::model("no integration of the project serves this model; GET /v1/models lists them"));
        };
        upstream.serves(now)?;
        if !speaks(&upstream.spec, shape) {
            return Err(Refusal::new(
                Code::NotCallable,
                "this model's provider has no such endpoint; call it by its own at /proxy/{provider}/{path}",
            ));
        }
        Ok((upstream, renamed))
    }

    /// The models that can be asked for, by name, each with its upstream.
    pub(super) fn models(&self, now: Timestamp) -> Vec<(String, &Upstream)> {
        let mut listed = Vec::new();
        for upstream in self.upstreams.iter().filter(|it| it.serves(now).is_ok()) {
            for Model { name, .. } in &upstream.spec.models {
                let id = match self.models.get(name) {
                    Some(Offer::Several) => format!("{}/{name}", upstream.spec.name),
                    _ => name.clone(),
                };
                listed.push((id, upstream.as_ref()));
            }
        }
        listed.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        listed.dedup_by(|a, b| a.0 == b.0);
        listed
    }

    fn named(&self, provider: &str) -> Option<&Arc<Upstream>> {
        self.upstreams.iter().find(|upstream| upstream.spec.name == provider)
    }

    fn prefixed<'a>(&'a self, model: &'a str) -> Option<(&'a Arc<Upstream>, Option<&'a str>)> {
        let (provider, rest) = model.split_once('/')?;
        self.named(provider).map(|upstream| (upstream, Some(rest)))
    }

    /// A dated snapshot of a known model.
    fn snapshot(&self, model: &str) -> Option<Offer> {
        let has = |upstream: &Arc<Upstream>| upstream.spec.model(model).is_some();
        let mut found = self.upstreams.iter().enumerate().filter(|(_, upstream)| has(upstream) && is_usable(upstream));
        let (at, _) = found.next()?;
        Some(if found.next().is_some() { Offer::Several } else { Offer::One(at) })
    }

    /// The only connected upstream of this shape: it may know models that nobody listed.
    fn only_one(&self, shape: Capability) -> Option<&Arc<Upstream>> {
        let mut usable = self.upstreams.iter().filter(|upstream| is_usable(upstream) && speaks(&upstream.spec, shape));
        usable.next().filter(|_| usable.next().is_none())
    }
}

/// Whether a call in this shape makes sense. A provider may serve more of OpenAI's than the catalog knows of it.
fn speaks(spec: &ProviderSpec, shape: Capability) -> bool {
    spec.can(shape) || (shape != Capability::Messages && spec.can(Capability::Chat))
}

fn offers(upstreams: &[Arc<Upstream>]) -> HashMap<String, Offer> {
    let mut offers: HashMap<String, Offer> = HashMap::new();
    // Those that cannot serve come last and only take what nobody else offers, to be named in the refusal.
    for usable in [true, false] {
        let taken: Vec<String> = offers.keys().cloned().collect();
        for (at, upstream) in upstreams.iter().enumerate().filter(|(_, upstream)| is_usable(upstream) == usable) {
            for model in upstream.spec.models.iter().filter(|model| !taken.contains(&model.name)) {
                offers.entry(model.name.clone()).and_modify(|offer| *offer = Offer::Several).or_insert(Offer::One(at));
            }
        }
    }
    offers
}

fn is_usable(upstream: &Upstream) -> bool {
    matches!(upstream.status, IntegrationStatus::Connected | IntegrationStatus::Verifying)
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

fn at_own_url(mut spec: ProviderSpec, own: Option<&str>) -> Option<ProviderSpec> {
    if let Some(own) = own {
        spec.base_url = Url::parse(own).ok()?;
    }
    Some(spec)
}
