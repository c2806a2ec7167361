//! Calls that Keyway itself refuses: rows of the request log if their virtual key is known, else lines of the process'
//! log. A caller can be refused at any rate, so only a limited number is kept per second; the metric counts all.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Instant,
};

use keyway_domain::{MeteredCall, RequestId, ServedBy};

use super::{
    arrival::{Arrival, bounded, millis},
    spool::Spool,
};
use crate::{
    refusal::{Code, Refusal},
    request::caller::Principal,
};

/// Largest number kept per second.
const MOST_PER_SECOND: u64 = 50;
/// Number of bits of that count.
const COUNT_BITS: u32 = 16;

/// Decides which refused calls are kept.
pub(crate) struct RefusedCalls {
    start: Instant,
    /// Second in the high bits, and the number kept in it in the low bits.
    kept: AtomicU64,
    /// The same for those that are only logged, because the virtual key is unknown.
    told: AtomicU64,
}

impl Default for RefusedCalls {
    fn default() -> Self {
        Self { start: Instant::now(), kept: AtomicU64::new(0), told: AtomicU64::new(0) }
    }
}

impl RefusedCalls {
    /// Returns `true` if one more may be kept now.
    pub(crate) fn may_keep(&self) -> bool {
        self.has_room(&self.kept)
    }

    /// Logs a request without a known virtual key.
    pub(crate) fn tell(&self, id: RequestId, peer: SocketAddr, code: Code) {
        if self.has_room(&self.told) {
            let status = code.status().as_u16();
            tracing::info!(request_id = %id, %peer, status, code = code.text(), "a proxied request was refused");
        }
    }

    fn has_room(&self, counter: &AtomicU64) -> bool {
        let now = self.start.elapsed().as_secs() << COUNT_BITS;
        let one_more = |kept: u64| {
            let kept = if kept >> COUNT_BITS == now >> COUNT_BITS { kept } else { now };
            (kept - now < MOST_PER_SECOND).then_some(kept + 1)
        };
        counter.fetch_update(Relaxed, Relaxed, one_more).is_ok()
    }

    /// Keeps a call that is refused before an upstream was chosen.
    pub(crate) fn keep(&self, spool: &Spool, principal: &Principal, arrival: Arrival, path: &str, refusal: &Refusal) {
        if !self.may_keep() {
            return;
        }
        let Some(slot) = spool.admit() else { return };
        let by = (principal.project_id, principal.virtual_key_id);
        tracing::info!(
            request_id = %arrival.id,
            tenant_id = %principal.tenant_id,
            project_id = %by.0,
            virtual_key_id = %by.1,
            status = refusal.code().status().as_u16(),
            code = refusal.code().text(),
            "a proxied call was refused"
        );
        let path = bounded(path.to_owned());
        let call = MeteredCall::begun(arrival.id, by, ServedBy::NoIntegration, "", path, arrival.at);
        let call = MeteredCall {
            http_status: Some(refusal.code().status().as_u16()),
            duration_ms: millis(arrival.clock.elapsed()),
            ..call
        };
        slot.keep(principal.tenant_id, call.refused_with(refusal.code().text()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_of_a_second_are_kept() {
        let calls = RefusedCalls::default();
        let kept = (0..1000).filter(|_| calls.may_keep()).count() as u64;
        // The second may turn meanwhile.
        assert!((MOST_PER_SECOND..=2 * MOST_PER_SECOND).contains(&kept), "{kept}");
    }
}
