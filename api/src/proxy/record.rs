//! The record of one call: begun before the provider is called, kept exactly once, however the call
//! ends. Dropping it keeps it as incomplete, so a caller that leaves is metered like any other.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::StatusCode;
use keyway_domain::{MeteredCall, ProjectId, RequestId, TenantId, Timestamp, VirtualKeyId};
use keyway_providers::Metered;
use keyway_telemetry::metrics;
use uuid::Builder;

use super::{caller::Principal, spool::Slot, upstream::Upstream};

/// Longer texts are cut: a record has a bounded size.
const MAX_TEXT_CHARS: usize = 300;

/// When a request came in, and its id.
#[derive(Clone, Copy)]
pub(super) struct Arrival {
    pub(super) id: RequestId,
    pub(super) at: Timestamp,
    pub(super) clock: Instant,
}

/// The record of one call.
pub(super) struct Record {
    slot: Option<Slot>,
    upstream: Arc<Upstream>,
    tenant_id: TenantId,
    project_id: ProjectId,
    virtual_key_id: VirtualKeyId,
    arrival: Arrival,
    path: String,
    asked_model: Option<String>,
    metered: Metered,
    status: Option<StatusCode>,
    first_byte: Option<Duration>,
    streamed: bool,
    complete: bool,
}

impl Arrival {
    /// A request that comes in now.
    pub(super) fn now() -> Self {
        let at = Timestamp::now();
        // As any fresh id, but its random part comes from this thread's generator, without a system call.
        let uuid = Builder::from_unix_timestamp_millis(u64::try_from(at.ms()).unwrap_or(0), &rand::random());
        Self { id: RequestId::from_uuid(uuid.into_uuid()), at, clock: Instant::now() }
    }
}

impl Record {
    /// Begins the record of a call that is about to be made.
    pub(super) fn begin(
        slot: Slot,
        principal: &Principal,
        upstream: Arc<Upstream>,
        arrival: Arrival,
        (path, asked_model): (String, Option<String>),
    ) -> Self {
        metrics().proxy_in_flight.inc();
        Self {
            slot: Some(slot),
            upstream,
            tenant_id: principal.tenant_id,
            project_id: principal.project_id,
            virtual_key_id: principal.virtual_key_id,
            arrival,
            path,
            asked_model,
            metered: Metered::default(),
            status: None,
            first_byte: None,
            streamed: false,
            complete: false,
        }
    }

    /// Whose integration serves.
    pub(super) fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// The path at the provider.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The head of the answer is there.
    pub(super) fn answered(&mut self, status: StatusCode, streamed: bool) {
        self.status = Some(status);
        self.streamed = streamed;
    }

    /// The first byte of the answer's body is there.
    pub(super) fn first_byte(&mut self, now: Instant) {
        self.first_byte.get_or_insert_with(|| now - self.arrival.clock);
    }

    /// The answer's figures.
    pub(super) fn metered(&mut self, metered: Metered) {
        self.metered = metered;
    }

    /// Whether a text that the caller called a model is one: listed, or served. Any other may be anything,
    /// and is no name to keep and to count by.
    fn is_model(&self, asked: &str) -> bool {
        self.status.is_some_and(|status| status.is_success()) || self.upstream.spec.model(asked).is_some()
    }

    /// The answer came to its own end. Keeps the record.
    pub(super) fn complete(mut self) {
        self.complete = true;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let took = self.arrival.clock.elapsed();
        let (tokens, cost_nano_usd) = (self.metered.tokens, self.metered.cost_nano_usd);
        metrics().proxy_in_flight.dec();
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
        let Some(slot) = self.slot.take() else { return };
        let model = self.metered.model.take().or_else(|| self.asked_model.take().filter(|asked| self.is_model(asked)));
        let model = model.filter(|model| is_text(model));
        let call = MeteredCall {
            request_id: self.arrival.id,
            project_id: self.project_id,
            virtual_key_id: self.virtual_key_id,
            integration_id: self.upstream.integration_id,
            provider: self.upstream.spec.name.clone(),
            model: model.map(bounded),
            path: bounded(std::mem::take(&mut self.path)),
            http_status: self.status.map(|status| status.as_u16()),
            tokens,
            cost_nano_usd,
            started_at: self.arrival.at,
            duration_ms: millis(took),
            first_byte_ms: self.first_byte.map(millis),
            streamed: self.streamed,
            complete: self.complete,
            overhead_us: None,
            attempts: 1,
            refused: Vec::new(),
            cached: false,
            settled: false,
        };
        slot.keep(self.tenant_id, call);
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Whether it can be kept as text: PostgreSQL takes no NUL, and no name has control characters.
fn is_text(model: &str) -> bool {
    !model.chars().any(char::is_control)
}

fn bounded(mut text: String) -> String {
    if let Some((at, _)) = text.char_indices().nth(MAX_TEXT_CHARS) {
        text.truncate(at);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_with_a_control_character_is_unknown_and_a_long_one_is_cut() {
        assert!(is_text("gpt-4o-mini") && is_text("modèle"));
        for bad in ["gpt\0", "\u{1}", "a\nb", "\u{7f}", "\u{85}"] {
            assert!(!is_text(bad), "{bad:?}");
        }
        assert_eq!(bounded("é".repeat(400)).chars().count(), MAX_TEXT_CHARS);
    }
}
