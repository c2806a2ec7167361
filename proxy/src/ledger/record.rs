//! The record of one call: begun before a provider is called, kept exactly once, however the call ends. Dropping it
//! keeps it as incomplete, so a caller that leaves is metered like any other; a call for which no provider was asked
//! leaves none.

use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, Instant},
};

use http::StatusCode;
use keyway_domain::{IntegrationId, MeteredCall, ProjectId, RefusedAttempt, TenantId, TokenCounts, VirtualKeyId};
use keyway_providers::Metered;
use keyway_telemetry::{OnceAMinute, metrics};

use super::{
    arrival::{Arrival, bounded, millis},
    model_name,
    refused_calls::RefusedCalls,
    spool::Slot,
    under_way::Admission,
};
use crate::{
    limits::{Ended, Hold},
    refusal::{Code, Refusal},
    request::caller::Principal,
    route::{plan::PathThere, upstream::Upstream},
};

/// Statuses of successful calls, beside 2xx.
const GOOD: [StatusCode; 2] = [StatusCode::SWITCHING_PROTOCOLS, StatusCode::NOT_MODIFIED];

/// The record of one call.
pub(crate) struct Record {
    slot: Option<Slot>,
    upstream: Arc<Upstream>,
    tenant_id: TenantId,
    project_id: ProjectId,
    virtual_key_id: VirtualKeyId,
    arrival: Arrival,
    path: String,
    asked_model: Option<String>,
    attempts: u16,
    /// Time until the first upstream was asked.
    overhead: Duration,
    refused: Vec<RefusedAttempt>,
    doubted: Vec<IntegrationId>,
    metered: Metered,
    status: Option<StatusCode>,
    first_byte: Option<Duration>,
    streamed: bool,
    complete: bool,
    /// `true` if the answer was cached, so that no provider was asked.
    cached: bool,
    /// Code of Keyway's refusal, if no provider was asked.
    refused_code: Option<&'static str>,
    /// Code of Keyway's own answer, if no provider's answer was passed on.
    own_code: Option<Code>,
    /// Reservations in limits, settled when the record ends.
    pub(crate) hold: Hold,
}

impl Record {
    /// Begins the record of a call that is about to be made, to this upstream first.
    pub(crate) fn new(
        slot: Slot,
        principal: &Principal,
        upstream: Arc<Upstream>,
        arrival: Arrival,
        asked_model: Option<String>,
    ) -> Self {
        metrics().proxy_in_flight.inc();
        Self {
            slot: Some(slot),
            upstream,
            tenant_id: principal.tenant_id,
            project_id: principal.project_id,
            virtual_key_id: principal.virtual_key_id,
            arrival,
            path: String::new(),
            asked_model,
            attempts: 0,
            overhead: Duration::ZERO,
            refused: Vec::new(),
            doubted: Vec::new(),
            metered: Metered::default(),
            status: None,
            first_byte: None,
            streamed: false,
            complete: false,
            cached: false,
            refused_code: None,
            own_code: None,
            hold: Hold::default(),
        }
    }

    /// Notes that an upstream is asked now, at this path. Afterwards the call is known even if the process dies.
    ///
    /// # Errors
    /// It cannot be written down, so it must not be made.
    pub(crate) fn asks(&mut self, upstream: &Arc<Upstream>, path: String) -> Result<(), Refusal> {
        let attempts = self.attempts.saturating_add(1);
        let named = |asked: &&str| upstream.spec.model(asked).is_some() || model_name::is_likely(asked);
        let admission = Admission {
            tenant_id: self.tenant_id,
            request_id: self.arrival.id,
            project_id: self.project_id,
            virtual_key_id: self.virtual_key_id,
            served_by: upstream.served_by(),
            credential: upstream.credential,
            provider: upstream.spec.name.as_str().into(),
            model: self.asked_model.as_deref().filter(named).map(Cow::Borrowed),
            path: path.as_str().into(),
            started_at: self.arrival.at,
            attempts,
        };
        if let Some(Err(error)) = self.slot.as_ref().map(|slot| slot.admit(&admission)) {
            static TOLD: OnceAMinute = OnceAMinute::new();
            if let Some(held_back) = TOLD.passes() {
                tracing::error!(%error, held_back, "a call cannot be written down and is not made");
            }
            return Err(Refusal::spool_full());
        }
        if self.attempts == 0 {
            self.overhead = self.arrival.clock.elapsed();
            metrics().proxy_overhead_seconds.observe(self.overhead.as_secs_f64());
        }
        self.attempts = attempts;
        self.upstream = Arc::clone(upstream);
        self.path = path;
        Ok(())
    }

    /// Notes that the answer was cached: no provider is asked, and nothing is used.
    pub(crate) fn answered_from_memory(&mut self, path: String, streamed: bool) {
        (self.cached, self.path, self.streamed) = (true, path, streamed);
        self.status = Some(StatusCode::OK);
        self.overhead = self.arrival.clock.elapsed();
        self.first_byte = Some(self.overhead);
        self.metered.tokens = TokenCounts { input: Some(0), output: Some(0), ..TokenCounts::default() };
    }

    /// Notes that a provider's answer puts the key of an integration in doubt.
    pub(crate) fn doubts(&mut self, integration_id: IntegrationId) {
        if !self.doubted.contains(&integration_id) {
            self.doubted.push(integration_id);
        }
    }

    /// Notes that an upstream refused the call, for which another one is asked now.
    pub(crate) fn refused(&mut self, integration_id: IntegrationId, status: StatusCode) {
        self.refused.push(RefusedAttempt { integration_id, http_status: status.as_u16() });
    }

    /// Notes that the answer is that of an upstream asked before the last one, at this path.
    pub(crate) fn answered_before(&mut self, upstream: &Arc<Upstream>, path: String) {
        self.refused.retain(|attempt| attempt.integration_id != upstream.integration_id);
        (self.upstream, self.path) = (Arc::clone(upstream), path);
    }

    /// Ends the record with Keyway's own refusal of the call, meant for this path. If no provider was asked, the
    /// refused call is kept, if there is room.
    pub(crate) fn refuse(mut self, refusal: Refusal, path: &PathThere, calls: &RefusedCalls) -> Refusal {
        // What cannot be written down is not kept, either.
        if self.attempts == 0 && refusal.code() != Code::SpoolFull && calls.may_keep() {
            self.path = path.at(&self.upstream);
            self.refused_code = Some(refusal.code().text());
            self.status = Some(refusal.code().status());
        }
        self.ends_as(refusal)
    }

    /// Notes that Keyway answers with a refusal of its own, which is logged when the record ends.
    pub(crate) fn ends_as(&mut self, refusal: Refusal) -> Refusal {
        self.own_code = Some(refusal.code());
        refusal.told()
    }

    /// Returns the upstream that is asked first.
    pub(crate) const fn first(&self) -> &Arc<Upstream> {
        &self.upstream
    }

    /// Returns the upstream that serves.
    pub(crate) fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// Returns the project of the call.
    pub(crate) const fn project_id(&self) -> ProjectId {
        self.project_id
    }

    /// Returns the model that the caller asked for.
    pub(crate) fn asked_model(&self) -> Option<&str> {
        self.asked_model.as_deref()
    }

    /// Returns the path at the provider.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Notes that the head of the answer has arrived.
    pub(crate) fn answered(&mut self, status: StatusCode, streamed: bool) {
        self.status = Some(status);
        self.streamed = streamed;
    }

    /// Notes that the first byte of the answer's body has arrived.
    pub(crate) fn first_byte(&mut self, now: Instant) {
        self.first_byte.get_or_insert_with(|| now - self.arrival.clock);
    }

    /// Sets the answer's figures.
    pub(crate) fn metered(&mut self, metered: Metered) {
        self.metered = metered;
    }

    /// Settles the reservations, and counts the call.
    fn count(&mut self, took: Duration) {
        self.hold.end(&Ended {
            upstream: &self.upstream,
            asked_model: self.asked_model.as_deref(),
            status: self.status,
            metered: &self.metered,
            complete: self.complete,
        });
        let meters = &self.upstream.meters;
        match self.status {
            Some(StatusCode::OK) => meters.served.inc(),
            Some(status) => {
                metrics().proxy_requests.with_label_values(&[meters.label.as_str(), status.as_str()]).inc();
            }
            None => metrics().proxy_requests.with_label_values(&[meters.label.as_str(), "none"]).inc(),
        }
        meters.seconds.observe(took.as_secs_f64());
        if let Some(first_byte) = self.first_byte {
            meters.first_byte_seconds.observe(first_byte.as_secs_f64());
        }
    }

    /// Logs a failed call: its ids and its end, and no text of a caller or a provider.
    fn tell(&self, call: &MeteredCall) {
        let status = self.own_code.map(Code::status).or(self.status);
        let is_good = |status: StatusCode| status.is_success() || GOOD.contains(&status);
        if call.complete && status.is_some_and(is_good) {
            return;
        }
        let integration_id =
            (!self.upstream.is_fallback()).then(|| tracing::field::display(self.upstream.integration_id));
        tracing::info!(
            request_id = %call.request_id,
            tenant_id = %self.tenant_id,
            project_id = %call.project_id,
            virtual_key_id = %call.virtual_key_id,
            integration_id,
            credential = call.credential.name(),
            provider = call.provider,
            model = call.model,
            status = status.map(|status| status.as_u16()),
            code = self.own_code.map(Code::text),
            outcome = call.outcome().name(),
            attempts = call.attempts,
            took_ms = call.duration_ms,
            "a proxied call failed"
        );
    }

    /// Returns `true` if the caller's model name may be stored: it is real, as it is listed or was served; or the call
    /// failed over something else, and it looks like a name. Any other may be any text.
    fn may_name(&self, asked: &str) -> bool {
        let is_served = |status: StatusCode| status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS;
        let is_real = self.status.is_some_and(is_served) || self.upstream.spec.model(asked).is_some();
        is_real || self.status != Some(StatusCode::NOT_FOUND) && model_name::is_likely(asked)
    }

    /// Keeps the record of an answer that came to its own end.
    pub(crate) fn complete(mut self) {
        self.complete = true;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let took = self.arrival.clock.elapsed();
        let (tokens, cost_nano_usd) = (self.metered.tokens, self.metered.cost_nano_usd);
        metrics().proxy_in_flight.dec();
        if self.attempts > 0 || self.cached {
            self.count(took);
        } else if self.refused_code.is_none() {
            return;
        }
        let Some(slot) = self.slot.take() else { return };
        let is_name = |model: &String| model_name::is_text(model);
        let asked = self.asked_model.take().filter(|asked| self.may_name(asked)).filter(is_name);
        let model = self.metered.model.take().filter(is_name).or_else(|| asked.clone());
        let asked = asked.filter(|asked| model.as_ref() != Some(asked));
        let upstream = &self.upstream;
        let call = MeteredCall::begun(
            self.arrival.id,
            (self.project_id, self.virtual_key_id),
            upstream.served_by(),
            upstream.spec.name.as_str(),
            bounded(std::mem::take(&mut self.path)),
            self.arrival.at,
        );
        let call = MeteredCall {
            credential: upstream.credential,
            model: model.map(bounded),
            asked_model: asked.map(bounded),
            terms: std::mem::take(&mut self.metered.terms),
            http_status: self.status.map(|status| status.as_u16()),
            tokens,
            cost_nano_usd,
            duration_ms: millis(took),
            first_byte_ms: self.first_byte.map(millis),
            streamed: self.streamed,
            complete: self.complete,
            overhead_us: i64::try_from(self.overhead.as_micros()).ok(),
            attempts: self.attempts,
            refused: std::mem::take(&mut self.refused),
            doubted: std::mem::take(&mut self.doubted),
            answer_id: self.metered.answer_id.take(),
            cached: self.cached,
            ..call
        };
        let call = match self.refused_code {
            Some(code) => call.refused_with(code),
            None => call,
        };
        self.tell(&call);
        slot.keep(self.tenant_id, call);
    }
}
