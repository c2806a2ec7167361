//! Which integration would serve a call, and why not the others: the judgement of a real call, without
//! one. No provider is asked, no secret opened.

use std::{sync::Arc, time::Instant};

use keyway_domain::{IntegrationId, ProjectId, TenantId, Timestamp};

use super::{
    Proxy,
    choice::{Choice, Standing},
    plan,
    project::Project,
    refusal::{Code, Refusal},
    upstream::Upstream,
};

/// What would be asked for.
pub(crate) enum Wanted<'a> {
    /// Something of this provider, perhaps with a model.
    Provider(&'a str, Option<&'a str>),
    /// This model at an endpoint of `/v1`.
    Model(&'a str, &'a str),
}

/// The judgement.
#[derive(Default)]
pub(crate) struct Explanation {
    /// In the order in which they would be tried, then those that would not be.
    pub(crate) candidates: Vec<Candidate>,
    /// What the caller would be told, when nobody would serve: code and sentence.
    pub(crate) refusal: Option<(&'static str, String)>,
}

/// An integration of the project, and where it stands.
pub(crate) struct Candidate {
    pub(crate) integration_id: IntegrationId,
    pub(crate) provider: String,
    pub(crate) name: String,
    pub(crate) priority: i32,
    pub(crate) weight: i32,
    /// Whether it would be tried.
    pub(crate) can_serve: bool,
    /// Until when it is only tried if nobody else is left.
    pub(crate) cools_until: Option<Timestamp>,
    /// Why it would not be tried.
    pub(crate) refusal: Option<(&'static str, String)>,
}

impl Proxy {
    /// Judges a call. What this process has in memory counts: another replica may know of other cool-downs.
    pub(crate) async fn explain(&self, tenant_id: TenantId, project_id: ProjectId, wanted: Wanted<'_>) -> Explanation {
        let clock = Instant::now();
        let choice = Choice { cooling: &self.cooling, pinned: None, now: Timestamp::now(), clock };
        let project = match self.project(tenant_id, project_id, clock).await {
            Ok(project) => project,
            Err(refusal) => return Explanation { refusal: Some(refusal.into_text()), ..Explanation::default() },
        };
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
        let tried = choice.steady_order(offered.iter().copied(), model);
        let is_tried = |id| tried.iter().any(|it| it.integration_id == id);
        let others = project.all().filter(|it| !is_tried(it.integration_id)).map(|it| {
            let is_offered = offered.iter().any(|offered| offered.integration_id == it.integration_id);
            if is_offered { candidate(&choice, it, model) } else { not_offered(it) }
        });
        let candidates = tried.iter().map(|it| candidate(&choice, it, model)).chain(others).collect();
        Explanation { candidates, refusal: refusal.map(Refusal::into_text) }
    }

    fn offered<'a>(&self, project: &'a Project, wanted: &Wanted<'a>) -> Result<Vec<&'a Arc<Upstream>>, Refusal> {
        match *wanted {
            Wanted::Provider(provider, _) => Ok(project.by_provider(provider, &self.sources.catalog)?.iter().collect()),
            Wanted::Model(model, endpoint) => Ok(project.by_model(model, plan::shape(endpoint))?.upstreams),
        }
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
    Candidate {
        integration_id: upstream.integration_id,
        provider: upstream.spec.name.clone(),
        name: upstream.name.clone(),
        priority: upstream.routing.priority,
        weight: upstream.routing.weight,
        can_serve: refusal.is_none(),
        cools_until,
        refusal: refusal.map(Refusal::into_text),
    }
}
