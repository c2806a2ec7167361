//! The integration that would serve a call, and the reasons against the others: the judgement of a real call, without
//! one. No provider is asked, no secret opened.

use std::{sync::Arc, time::Instant};

use keyway_domain::{Candidate, Explanation, ProjectId, TenantId, Timestamp, Wanted};

use crate::{
    proxy::Proxy,
    refusal::{Code, Refusal},
    route::{
        choice::{Choice, Standing},
        endpoint::{self, ENDPOINTS},
        project::{Language, Project},
        upstream::{self, Upstream},
    },
};

impl Proxy {
    /// Judges a call by the memory of this process: another replica may have other cool-downs.
    pub async fn explain(&self, tenant_id: TenantId, project_id: ProjectId, wanted: Wanted<'_>) -> Explanation {
        let clock = Instant::now();
        let now = Timestamp::now();
        let cooling = &self.cooling;
        let choice = Choice { cooling, pinned: None, allows_fallback: true, session: None, keeper: None, now, clock };
        let project = match self.project(tenant_id, project_id, clock).await {
            Ok(project) => project,
            Err(refusal) => return Explanation { refusal: Some(refusal.into_text()), ..Explanation::default() },
        };
        if !project.fallback.exists()
            && let Err(refusal) = self.sources.check_open()
        {
            return Explanation { refusal: Some(refusal.into_text()), ..Explanation::default() };
        }
        let offered = self.offered(&project, &wanted);
        let (offered, refusal) = match offered {
            Ok(offered) => {
                let refusal = choice.check(offered.iter().copied()).err();
                (offered, refusal)
            }
            Err(refusal) => (Vec::new(), Some(refusal)),
        };
        let model = match wanted {
            Wanted::Provider(_, model) => model,
            Wanted::Model(model, _) => Some(model),
        };
        let at = endpoint(&wanted);
        let fallback = match (&refusal, &wanted) {
            (Some(refusal), Wanted::Provider(provider, _)) if refusal.leaves_call_alone() => {
                project.helped_out(Some(provider), at, model).map(|alone| alone.upstream)
            }
            (Some(refusal), Wanted::Model(..)) if refusal.leaves_call_alone() => {
                project.helped_out(None, at, model).map(|alone| alone.upstream)
            }
            _ => project.fallback.serving(offered.iter().copied(), at, model),
        };
        let refusal = refusal.filter(|_| fallback.is_err());
        let tried = choice.steady_order(offered.iter().copied(), fallback.as_ref().ok().copied(), model);
        let is_tried = |id| tried.iter().any(|it| it.integration_id == id);
        let others = project.all().filter(|it| !is_tried(it.integration_id)).map(|it| {
            let is_offered = offered.iter().any(|offered| offered.integration_id == it.integration_id);
            if is_offered { candidate(&choice, it, model) } else { not_offered(it) }
        });
        let no_fallback = fallback.err().map(no_fallback);
        let candidates =
            tried.iter().map(|it| candidate(&choice, it, model)).chain(others).chain(no_fallback).collect();
        Explanation { candidates, refusal: refusal.map(Refusal::into_text) }
    }

    fn offered<'a>(&self, project: &'a Project, wanted: &Wanted<'a>) -> Result<Vec<&'a Arc<Upstream>>, Refusal> {
        match *wanted {
            Wanted::Provider(provider, _) => Ok(project.by_provider(provider, &self.sources.catalog)?.iter().collect()),
            Wanted::Model(model, endpoint) => {
                Ok(project.by_model(model, Language::Of(endpoint::shape(endpoint)))?.upstreams)
            }
        }
    }
}

/// Finds the endpoint that it would be, as far as OpenRouter may have it; of a provider's own, its chats.
fn endpoint(wanted: &Wanted<'_>) -> Option<&'static str> {
    let asked = match wanted {
        Wanted::Provider(..) => ENDPOINTS[0],
        Wanted::Model(_, endpoint) => endpoint,
    };
    ENDPOINTS.into_iter().find(|endpoint| *endpoint == asked)
}

/// Describes the operator's key, which would not be tried.
fn no_fallback(refusal: Refusal) -> Candidate {
    Candidate {
        integration_id: None,
        provider: endpoint::OPENROUTER.to_owned(),
        name: upstream::OPERATORS.to_owned(),
        priority: None,
        weight: None,
        can_serve: false,
        cools_until: None,
        refusal: Some(refusal.into_text()),
    }
}

fn candidate(choice: &Choice<'_>, upstream: &Upstream, model: Option<&str>) -> Candidate {
    let (cools_until, refusal) = match choice.standing(upstream, model) {
        Standing::Ready => (None, None),
        Standing::Cooling(until) => (Some(choice.now.after(until - choice.clock)), None),
        Standing::Out(refusal) => (None, Some(refusal)),
    };
    described(upstream, cools_until, refusal)
}

fn not_offered(upstream: &Upstream) -> Candidate {
    described(upstream, None, Some(Refusal::new(Code::ModelNotFound, "it does not serve what is asked for")))
}

fn described(upstream: &Upstream, cools_until: Option<Timestamp>, refusal: Option<Refusal>) -> Candidate {
    let own = !upstream.is_fallback();
    Candidate {
        integration_id: own.then_some(upstream.integration_id),
        provider: upstream.spec.name.clone(),
        name: upstream.name.clone(),
        priority: own.then_some(upstream.routing.priority),
        weight: own.then_some(upstream.routing.weight),
        can_serve: refusal.is_none(),
        cools_until,
        refusal: refusal.map(Refusal::into_text),
    }
}
