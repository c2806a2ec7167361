//! Calls of a known virtual key that Keyway itself refuses, for the request log. A caller is refused as often as it
//! likes, so only so many are kept of each second; the metric counts them all.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Instant,
};

use keyway_domain::{IntegrationId, MeteredCall};

use super::{
    caller::Principal,
    record::{Arrival, bounded, millis},
    refusal::Refusal,
    spool::Spool,
};

/// Those of one second that are kept.
const MOST_PER_SECOND: u64 = 50;
/// The bits that count them.
const COUNT_BITS: u32 = 16;

/// Decides which refused calls are kept.
pub(super) struct RefusedCalls {
    start: Instant,
    /// The second, and below it how many were kept in it.
    kept: AtomicU64,
}

impl Default for RefusedCalls {
    fn default() -> Self {
        Self { start: Instant::now(), kept: AtomicU64::new(0) }
    }
}

impl RefusedCalls {
    /// Whether one more may be kept now.
    pub(super) fn may_keep(&self) -> bool {
        let now = self.start.elapsed().as_secs() << COUNT_BITS;
        let one_more = |kept: u64| {
            let kept = if kept >> COUNT_BITS == now >> COUNT_BITS { kept } else { now };
            (kept - now < MOST_PER_SECOND).then_some(kept + 1)
        };
        self.kept.fetch_update(Relaxed, Relaxed, one_more).is_ok()
    }

    /// Keeps a call that is refused before anybody was chosen to serve it.
    pub(super) fn keep(&self, spool: &Spool, principal: &Principal, arrival: Arrival, path: &str, refusal: &Refusal) {
        if !self.may_keep() {
            return;
        }
        let Some(slot) = spool.admit() else { return };
        let by = (principal.project_id, principal.virtual_key_id);
        let path = bounded(path.to_owned());
        let call = MeteredCall::begun(arrival.id, by, IntegrationId::NONE, "", path, arrival.at);
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
