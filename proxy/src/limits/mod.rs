//! Limits that hold across processes: a call reserves its upper bound before a provider is asked, and settles its real
//! use when it has ended. A process leases the amounts it may let through from the database, a part of the remainder at
//! a time; a call with a lease at hand asks nobody, and one without limits pays nothing.
//!
//! Must never let more through than a limit, except for one call per process and limit: if less than a call's bound is
//! left, it passes if no other is under way there.

mod answer;
mod asked;
mod estimate;
mod lease;
mod scope;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::{HeaderMap, Method, StatusCode};
use keyway_domain::{LimitScope, Limits, Measure, NanoUsd, TenantId, Timestamp};
use keyway_providers::Metered;
use keyway_store::Store;
use keyway_telemetry::{Home, metrics};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::{
    estimate::{Bound, Demand},
    scope::{Needs, Refused, Scope, Taken},
};
use crate::{
    refusal::{Code, Refusal},
    request::caller::Principal,
    route::{plan::Plan, project::Project, upstream::Upstream},
};

/// Interval at which unneeded amounts are handed back.
const TIDY_INTERVAL: Duration = Duration::from_secs(5);
/// Time limit of a stop for handing back.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// The limited scopes of this process.
pub(super) struct Limiter {
    /// Runtime that asks the database.
    home: Home,
    store: Store,
    scopes: Mutex<HashMap<Uuid, Arc<Scope>>>,
}

/// Reservations of a call. Dropping them hands everything back, as if no provider had been asked.
#[derive(Default)]
pub(super) struct Hold(Option<Box<Held>>);

struct Held {
    limiter: Arc<Limiter>,
    tenant_id: TenantId,
    demand: Demand,
    model: Option<String>,
    /// The scope with a budget: virtual key or project.
    budget_of: Option<LimitScope>,
    /// Reservations of the virtual key and the project.
    taken: Vec<Taken>,
    /// Reservations of the integration that is being asked, and of its provider.
    serving: Vec<Taken>,
    /// `true` if no provider can have served the call: none was reached, or those that were refused it.
    used_nothing: bool,
}

/// Result of a call.
pub(super) struct Ended<'a> {
    pub(super) upstream: &'a Upstream,
    pub(super) asked_model: Option<&'a str>,
    pub(super) status: Option<StatusCode>,
    pub(super) metered: &'a Metered,
    /// `true` if the answer came to its own end.
    pub(super) complete: bool,
}

impl Limiter {
    /// Builds a limiter without leases.
    pub(super) fn new(home: Home, store: Store) -> Arc<Self> {
        // A counter that appears with its first event has no increase that an alert could see.
        for code in [Code::RateLimited, Code::BudgetExceeded, Code::PriceUnknown] {
            for scope in LimitScope::ALL {
                metrics().limit_refused.with_label_values(&[code.text(), scope.name()]);
            }
        }
        Arc::new(Self { home, store, scopes: Mutex::default() })
    }

    /// Reserves the bound of a planned call in its virtual key's and its project's limits.
    ///
    /// # Errors
    /// A refusal: a limit has nothing left for the call, its price is unknown under a budget, or the database is away.
    pub(super) async fn reserve(
        self: &Arc<Self>,
        principal: &Principal,
        project: &Project,
        plan: &Plan,
        (method, headers): (&Method, &HeaderMap),
    ) -> Result<Hold, Refusal> {
        let own = [
            (LimitScope::VirtualKey, principal.virtual_key_id.uuid(), principal.limits),
            (LimitScope::Project, principal.project_id.uuid(), project.limits),
        ];
        let is_free = own.iter().all(|(.., limits)| limits.is_empty());
        let Some(first) = plan.upstreams.first() else { return Ok(Hold::default()) };
        let is_unlimited = |upstream: &Arc<Upstream>| upstream.scopes().all(|(.., limits)| limits.is_empty());
        if is_free && plan.upstreams.iter().all(is_unlimited) {
            return Ok(Hold::default());
        }
        let body = plan.payload.text().map(|body| &body[..]);
        let demand = Demand::of(method, headers, &plan.path.at(first), body);
        let bounds = plan.upstreams.iter().map(|upstream| demand.at(&upstream.spec, plan.model.as_deref()));
        let bound = bounds.fold(Bound { tokens: 0, cost: None }, |most, bound| Bound {
            tokens: most.tokens.max(bound.tokens),
            cost: most.cost.max(bound.cost),
        });
        let mut held = Held {
            limiter: Arc::clone(self),
            tenant_id: principal.tenant_id,
            demand,
            model: plan.model.clone(),
            budget_of: own.iter().find(|(.., limits)| has_budget(limits)).map(|(kind, ..)| *kind),
            taken: Vec::new(),
            serving: Vec::new(),
            used_nothing: false,
        };
        for (kind, id, limits) in own {
            if let Some(taken) = self.take(kind, principal.tenant_id, id, limits, bound).await? {
                held.taken.push(taken);
            }
        }
        Ok(Hold(Some(Box::new(held))))
    }

    /// Returns `true` if any limit counts the tokens or the cost of this virtual key's calls, not only their number.
    pub(super) fn counts_use(&self, principal: &Principal, project: &Project) -> bool {
        let counts = |limits: &Limits| limits.tokens_per_minute.is_some() || has_budget(limits);
        let counts_at = |upstream: &Arc<Upstream>| upstream.scopes().any(|(.., limits)| counts(&limits));
        counts(&principal.limits) || counts(&project.limits) || project.all().any(counts_at)
    }

    /// Hands back everything that no call under way has reserved, for a stop.
    pub(super) async fn give_back(&self) {
        if tokio::time::timeout(STOP_TIMEOUT, self.tidy(true)).await.is_err() {
            tracing::warn!("what is leased of limits could not be handed back in time; it counts as used");
        }
    }

    /// Hands back unneeded amounts at intervals, until `stop`.
    pub(super) async fn keep_tidy(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(TIDY_INTERVAL) => self.tidy(false).await,
            }
        }
    }

    async fn take(
        &self,
        kind: LimitScope,
        tenant_id: TenantId,
        id: Uuid,
        limits: Limits,
        bound: Bound,
    ) -> Result<Option<Taken>, Refusal> {
        if limits.is_empty() {
            return Ok(None);
        }
        if has_budget(&limits) && bound.cost.is_none() {
            return Err(answer::price_unknown(kind));
        }
        let needs: Needs = [Some(1), Some(bound.tokens), bound.cost, bound.cost];
        let scope = self.scope(kind, tenant_id, id);
        match scope.reserve(needs, limits, (&self.home, &self.store)).await {
            Ok(taken) => Ok(Some(taken)),
            Err(Refused::Exhausted(kind, measure, state)) => Err(answer::exhausted(kind, measure, state)),
            Err(Refused::Away) => Err(Refusal::new(
                Code::Unavailable,
                "the database is not available at the moment, and what was leased of a limit is used up; try again",
            )),
            Err(Refused::Store(error)) => Err(error.into()),
        }
    }

    fn scope(&self, kind: LimitScope, tenant_id: TenantId, id: Uuid) -> Arc<Scope> {
        let mut scopes = self.scopes();
        Arc::clone(scopes.entry(id).or_insert_with(|| Arc::new(Scope::new(kind, tenant_id, id))))
    }

    async fn tidy(&self, all: bool) {
        let scopes: Vec<_> = self.scopes().values().cloned().collect();
        for scope in &scopes {
            if scope.give_back(all, &self.store).await.is_err() {
                tracing::warn!(scope = scope.kind.name(), id = %scope.id, "what is leased could not be handed back yet");
                break;
            }
        }
        show_leased(&scopes);
        drop(scopes);
        // One that a call holds on to counts more than the map's own.
        self.scopes().retain(|_, scope| Arc::strong_count(scope) > 1 || !scope.is_empty());
    }

    fn scopes(&self) -> MutexGuard<'_, HashMap<Uuid, Arc<Scope>>> {
        self.scopes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hold {
    /// Reserves the call's bound in the limits of an integration that is about to be asked, and in its provider's. An
    /// integration that was asked before has refused the call.
    ///
    /// # Errors
    /// As for [`Limiter::reserve`]; another integration may do better.
    pub(super) async fn enter(&mut self, upstream: &Upstream) -> Result<(), Refusal> {
        let Some(held) = &mut self.0 else { return Ok(()) };
        held.used_nothing = true;
        for before in held.serving.drain(..) {
            before.settle(&[Some(1), Some(0), Some(0), Some(0)], false);
        }
        let bound = held.demand.at(&upstream.spec, held.model.as_deref());
        if let (Some(scope), None) = (held.budget_of, bound.cost) {
            return Err(answer::price_unknown(scope));
        }
        for (kind, id, limits) in upstream.scopes() {
            match held.limiter.take(kind, held.tenant_id, id, limits, bound).await {
                Ok(taken) => held.serving.extend(taken),
                Err(refusal) => {
                    // What the other scope gave goes back, untouched.
                    held.serving.clear();
                    return Err(refusal);
                }
            }
        }
        held.used_nothing = false;
        Ok(())
    }

    /// Says in the headers of an answer what is left of the limits it counts on.
    pub(super) fn show(&self, headers: &mut HeaderMap) {
        if let Some(held) = &self.0 {
            answer::show(held.taken.iter().chain(&held.serving), headers);
        }
    }

    /// Notes that only the request counts: the provider cannot have seen the call, or showed figures that were counted
    /// before.
    pub(super) fn used_nothing(&mut self) {
        if let Some(held) = &mut self.0 {
            held.used_nothing = true;
        }
    }

    /// Settles the real use of the call.
    pub(super) fn end(&mut self, ended: &Ended<'_>) {
        let Some(held) = self.0.take() else { return };
        let (tokens, cost) = if held.used_nothing { (Some(0), Some(0)) } else { ended.used(held.demand.began_at) };
        let used: Needs = [Some(1), tokens, cost, cost];
        // What an answer that broke off has cost, its last figures do not say.
        let at_least = !held.used_nothing && !ended.complete && !ended.is_refused();
        for taken in held.taken.into_iter().chain(held.serving) {
            taken.settle(&used, at_least);
        }
    }
}

impl Ended<'_> {
    /// Returns tokens and cost; `None`: unknown.
    fn used(&self, began_at: Timestamp) -> (Option<i64>, Option<NanoUsd>) {
        let tokens = &self.metered.tokens;
        let count = tokens.input.zip(tokens.output).map(|(input, output)| input.saturating_add(output));
        let cost = self.metered.cost_nano_usd.or_else(|| {
            let model = self.upstream.spec.priced_model(self.metered.model.as_deref(), self.asked_model)?;
            model.price.as_ref()?.cost(tokens, &self.metered.terms, began_at)
        });
        if self.is_refused() { (count.or(Some(0)), cost.or(Some(0))) } else { (count, cost) }
    }

    /// Returns `true` if the provider refused the call, so that it charges nothing.
    fn is_refused(&self) -> bool {
        self.status.is_some_and(|status| !status.is_success() && status != StatusCode::SWITCHING_PROTOCOLS)
    }
}

fn has_budget(limits: &Limits) -> bool {
    limits.daily_budget_nano_usd.or(limits.monthly_budget_nano_usd).is_some()
}

/// Sums the amounts leased and not used, for the metrics.
fn show_leased(scopes: &[Arc<Scope>]) {
    for kind in LimitScope::ALL {
        let mut sums = [0_i64; Measure::ALL.len()];
        for scope in scopes.iter().filter(|scope| scope.kind == kind) {
            for (sum, left) in sums.iter_mut().zip(scope.left()) {
                *sum = sum.saturating_add(left);
            }
        }
        for (measure, sum) in Measure::ALL.into_iter().zip(sums) {
            metrics().limit_leased.with_label_values(&[kind.name(), measure.name()]).set(sum);
        }
    }
}
