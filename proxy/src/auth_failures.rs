//! Failures at the door, of the management API and of the proxy. Each is counted, and logged and audited in groups.
//! Answers to wrong keys are delayed, the longer the more came from the same address; a right key is never delayed, as
//! nothing here runs before something was found to be wrong. Must never be given a key. Addresses are those of
//! connections, not of headers, which anybody can forge.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use keyway_domain::{Actor, AuthFailure, AuthFailureKind};
use keyway_telemetry::metrics;
use quick_cache::sync::Cache;

use crate::grouped_audit::{GroupedAudit, Occurrence};

/// Largest number of addresses remembered at once.
const ADDRESSES: usize = 10_000;
/// Number of wrong keys that are answered at once.
const FREE: u32 = 3;
/// Additional delay for each further one.
const STEP: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_millis(500);
/// Time without a wrong key after which an address is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(300);
/// Largest number of delayed answers; further ones are not delayed, because waiting takes memory.
const MOST_WAITING: usize = 4096;

/// Counts of wrong keys by address.
pub(crate) struct AuthFailures {
    addresses: Cache<Network, Arc<Mutex<Sent>>>,
    waiting: AtomicUsize,
    audit: Arc<GroupedAudit>,
}

/// An address; for IPv6, the network of one customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Network(IpAddr);

struct Sent {
    count: u32,
    last: Instant,
}

impl AuthFailures {
    /// Builds an empty set of counts.
    pub(crate) fn new(audit: Arc<GroupedAudit>) -> Self {
        // A counter that appears with its first event has no increase that an alert could see.
        for kind in AuthFailureKind::ALL {
            metrics().auth_failures.with_label_values(&[kind.name()]);
        }
        Self { addresses: Cache::new(ADDRESSES), waiting: AtomicUsize::new(0), audit }
    }

    /// Notes a failure from an address. If it is a wrong key, counts it and waits for the delay of its sender.
    pub(crate) async fn refuse(&self, peer: SocketAddr, failure: AuthFailure) {
        let (network, kind) = (Network::of(peer.ip()), failure.kind);
        self.report(network, failure);
        if !kind.is_of_key() {
            return;
        }
        let wait = delay(self.count(network, Instant::now()));
        if wait.is_zero() {
            return;
        }
        let waiting = Waiting::begin(&self.waiting);
        if waiting.is_one_of(MOST_WAITING) {
            tokio::time::sleep(wait).await;
        }
    }

    fn report(&self, network: Network, failure: AuthFailure) {
        let AuthFailure { kind, tenant_id, actor, target, about } = failure;
        let (reason, address) = (kind.name(), network.to_string());
        metrics().auth_failures.with_label_values(&[reason]).inc();
        let target = target.unwrap_or_else(|| address.clone());
        let actor = actor.unwrap_or_else(nobody);
        let occurrence = Occurrence { tenant_id, action: kind.action(), actor, target, address: Some(address), reason };
        if self.audit.note(occurrence, about.map(|about| (kind.about(), about))) {
            tracing::warn!(address = %network, reason, "access was refused; the audit log has how often it was in this minute");
        }
    }

    /// Returns the number of recent wrong keys from the address, including this one.
    fn count(&self, network: Network, now: Instant) -> u32 {
        let fresh = || Ok::<_, std::convert::Infallible>(Arc::new(Mutex::new(Sent { count: 0, last: now })));
        let Ok(sent) = self.addresses.get_or_insert_with(&network, fresh);
        let mut sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(sent.last) >= FORGOTTEN {
            sent.count = 0;
        }
        sent.last = now;
        sent.count = sent.count.saturating_add(1);
        sent.count
    }
}

/// Returns the delay of the answer after `count` wrong keys.
fn delay(count: u32) -> Duration {
    STEP.saturating_mul(count.saturating_sub(FREE)).min(LONGEST)
}

/// Returns the actor for a sender without a valid key.
fn nobody() -> Actor {
    Actor::System { part: "access".to_owned() }
}

impl Network {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => Self(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()),
            address => Self(address),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(address) => write!(f, "{address}/64"),
        }
    }
}

/// A delayed answer, counted until dropped.
struct Waiting<'a> {
    all: &'a AtomicUsize,
    before: usize,
}

impl<'a> Waiting<'a> {
    fn begin(all: &'a AtomicUsize) -> Self {
        Self { before: all.fetch_add(1, Relaxed), all }
    }

    const fn is_one_of(&self, most: usize) -> bool {
        self.before < most
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_a_bound() {
        let millis: Vec<_> = [1, 3, 4, 5, 41, 53, 54, u32::MAX].map(|count| delay(count).as_millis()).into();
        assert_eq!(millis, [0, 0, 10, 20, 380, 500, 500, 500]);
    }

    #[test]
    fn an_address_is_a_customers_network() {
        let of = |text: &str| Network::of(text.parse().unwrap()).to_string();
        assert_eq!(of("203.0.113.7"), "203.0.113.7");
        assert_eq!(of("::ffff:203.0.113.7"), "203.0.113.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(of("2001:db8:1:2::9"), of("2001:db8:1:2:ffff::"));
        assert_ne!(of("2001:db8:1:3::9"), of("2001:db8:1:2::9"));
    }
}
