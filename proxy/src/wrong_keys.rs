//! Wrong keys: admin and virtual keys that open nothing. Whoever sends them is answered the later the more there were
//! from the same address, which a right key never is: nothing here is asked before a key was found to be wrong. Each is
//! counted, and logged and audited in groups. Must never be given a key. Addresses are those of connections: what a
//! header says of them, anybody can write.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use keyway_domain::{Actor, TenantId, VirtualKeyId};
use keyway_telemetry::metrics;
use quick_cache::sync::Cache;

use crate::grouped_audit::{GroupedAudit, Occurrence};

/// Addresses that are remembered at once.
const ADDRESSES: usize = 10_000;
/// A mistake or two are answered at once.
const FREE: u32 = 3;
/// What each further one adds.
const STEP: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_millis(500);
/// An address that sends none for so long begins anew.
const FORGOTTEN: Duration = Duration::from_secs(300);
/// Answers that wait at once; beyond them nobody waits, because waiting takes memory.
const MOST_WAITING: usize = 4096;

/// What is wrong with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// It is not the admin key.
    Admin,
    /// It is no virtual key of this installation.
    Virtual,
    /// The virtual key was revoked.
    Revoked(TenantId, VirtualKeyId),
    /// The virtual key has expired.
    Expired(TenantId, VirtualKeyId),
}

/// What is known of those who sent wrong keys.
pub(crate) struct WrongKeys {
    addresses: Cache<Network, Arc<Mutex<Sent>>>,
    waiting: AtomicUsize,
    audit: Arc<GroupedAudit>,
}

/// An address, or of IPv6 the network that one customer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Network(IpAddr);

struct Sent {
    count: u32,
    last: Instant,
}

impl Wrong {
    const REASONS: [&'static str; 4] =
        ["wrong_admin_key", "wrong_virtual_key", "revoked_virtual_key", "expired_virtual_key"];

    const fn reason(self) -> &'static str {
        let [admin, virtual_key, revoked, expired] = Self::REASONS;
        match self {
            Self::Admin => admin,
            Self::Virtual => virtual_key,
            Self::Revoked(..) => revoked,
            Self::Expired(..) => expired,
        }
    }
}

impl WrongKeys {
    /// None yet.
    pub(crate) fn new(audit: Arc<GroupedAudit>) -> Self {
        // A counter that appears with its first event has no increase that an alert could see.
        for reason in Wrong::REASONS {
            metrics().access_refused.with_label_values(&[reason]);
        }
        Self { addresses: Cache::new(ADDRESSES), waiting: AtomicUsize::new(0), audit }
    }

    /// Notes a wrong key from an address, and waits as long as its sender has to.
    pub(crate) async fn refuse(&self, peer: SocketAddr, wrong: Wrong) {
        let network = Network::of(peer.ip());
        self.report(network, wrong);
        let wait = delay(self.count(network, Instant::now()));
        if wait.is_zero() {
            return;
        }
        let waiting = Waiting::begin(&self.waiting);
        if waiting.is_one_of(MOST_WAITING) {
            tokio::time::sleep(wait).await;
        }
    }

    fn report(&self, network: Network, wrong: Wrong) {
        let reason = wrong.reason();
        metrics().access_refused.with_label_values(&[reason]).inc();
        let (tenant_id, action, target, actor) = match wrong {
            Wrong::Admin => (None, "admin_key.refused", network.to_string(), nobody()),
            Wrong::Virtual => (None, "virtual_key.refused", network.to_string(), nobody()),
            Wrong::Revoked(tenant_id, id) | Wrong::Expired(tenant_id, id) => {
                (Some(tenant_id), "virtual_key.refused", id.to_string(), Actor::VirtualKey { id })
            }
        };
        let address = Some(network.to_string());
        if self.audit.note(Occurrence { tenant_id, action, target, address, reason }, actor) {
            tracing::warn!(address = %network, reason, "access was refused; the audit log has how often it was in this minute");
        }
    }

    /// How many there were from it lately, with this one.
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

/// How long the sender of so many waits for its answer.
fn delay(count: u32) -> Duration {
    STEP.saturating_mul(count.saturating_sub(FREE)).min(LONGEST)
}

/// Whoever sends a key that nobody has.
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

/// An answer that waits until it is dropped.
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
