//! The crowd: who may be connected. Places are counted, of one address too; where all are taken, a connection gives way
//! that shows no key and no request, and a few places are kept from proxied calls, for those who have to look into it.
//!
//! Only the accept loop admits, so a request never waits for anything here.

use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use keyway_telemetry::metrics;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::AbortHandle,
    time::Instant,
};

use crate::traffic::Traffic;

/// Reasons of connections that are refused or closed, in metrics: all places are taken, those of its address are, and
/// it gave way to another.
pub(crate) const LIMIT: &str = "limit";
pub(crate) const ADDRESS: &str = "address";
pub(crate) const GAVE_WAY: &str = "gave_way";

/// Places beyond the limit that proxied calls cannot take: one for so many.
const KEPT_ONE_IN: usize = 20;
/// Age up to which who has shown no key may still be about to.
const GRACE: Duration = Duration::from_secs(1);
/// Time for which a place is waited for that was given up.
const HANDING_OVER: Duration = Duration::from_millis(100);
/// Time after which one is looked at again that has just been admitted.
const BEGINNING: Duration = Duration::from_millis(1);
/// Bits of an IPv6 address that one peer has all below of.
const NETWORK_BITS: u32 = 64;

/// The connections of one server.
pub(crate) struct Crowd {
    ordinary: Arc<Semaphore>,
    kept: Arc<Semaphore>,
    addresses: Arc<Addresses>,
    /// Oldest first, with some that have ended.
    connections: VecDeque<Known>,
    sweep_at: usize,
}

/// A connection that was admitted, until dropped.
pub(crate) struct Place {
    #[expect(dead_code, reason = "held for its drop")]
    permit: OwnedSemaphorePermit,
    address: IpAddr,
    addresses: Arc<Addresses>,
    /// Places for all, where this is one of those that are kept.
    pub(crate) ordinary: Option<Arc<Semaphore>>,
    pub(crate) traffic: Arc<Traffic>,
    /// Set to the connection's task once that runs.
    pub(crate) task: Arc<OnceLock<AbortHandle>>,
}

struct Known {
    since: Instant,
    traffic: Arc<Traffic>,
    task: Arc<OnceLock<AbortHandle>>,
}

struct Addresses {
    most: usize,
    /// `true` if this machine's own address, where a balancer may be, counts like any other.
    counts_loopback: bool,
    open: Mutex<HashMap<IpAddr, usize>>,
}

impl Crowd {
    /// Builds an empty crowd of so many connections, and so many of one address; `None`: half of all, and this machine
    /// has no cap.
    pub(crate) fn new(most: usize, most_of_address: Option<usize>) -> Self {
        // A counter that appears with its first event has no increase that an alert could see.
        for reason in [LIMIT, ADDRESS, GAVE_WAY] {
            metrics().connections_refused.with_label_values(&[reason]);
        }
        let most = most.min(Semaphore::MAX_PERMITS);
        let (open, counts_loopback) = (Mutex::default(), most_of_address.is_some());
        let of_address = most_of_address.unwrap_or_else(|| most.div_ceil(2));
        Self {
            ordinary: Arc::new(Semaphore::new(most)),
            kept: Arc::new(Semaphore::new(most / KEPT_ONE_IN)),
            addresses: Arc::new(Addresses { most: of_address, counts_loopback, open }),
            connections: VecDeque::new(),
            sweep_at: most.saturating_mul(2).max(64),
        }
    }

    /// Admits a connection from this address, or says why not.
    pub(crate) async fn admit(&mut self, address: IpAddr) -> Result<Place, &'static str> {
        let address = peer_of(address);
        let addresses = Arc::clone(&self.addresses);
        if !addresses.enter(address) {
            return Err(ADDRESS);
        }
        let Some((permit, is_kept)) = self.permit().await else {
            addresses.leave(address);
            return Err(LIMIT);
        };
        let (traffic, task) = (Arc::<Traffic>::default(), Arc::<OnceLock<AbortHandle>>::default());
        if self.connections.len() >= self.sweep_at {
            self.connections.retain(|known| !known.has_ended());
        }
        let known = Known { since: Instant::now(), traffic: Arc::clone(&traffic), task: Arc::clone(&task) };
        self.connections.push_back(known);
        let ordinary = is_kept.then(|| Arc::clone(&self.ordinary));
        Ok(Place { permit, address, addresses, ordinary, traffic, task })
    }

    /// Returns a permit, and whether it is one of those that are kept.
    async fn permit(&mut self) -> Option<(OwnedSemaphorePermit, bool)> {
        if let Ok(permit) = Arc::clone(&self.ordinary).try_acquire_owned() {
            return Some((permit, false));
        }
        // Who was just admitted has no task yet that could be ended.
        let until = Instant::now() + HANDING_OVER;
        while !self.has_given_way() {
            if Instant::now() >= until || self.connections.iter().all(|known| known.task.get().is_some()) {
                return Arc::clone(&self.kept).try_acquire_owned().ok().map(|permit| (permit, true));
            }
            tokio::time::sleep(BEGINNING).await;
        }
        let handed_over = Arc::clone(&self.ordinary).acquire_owned();
        if let Ok(Ok(permit)) = tokio::time::timeout(HANDING_OVER, handed_over).await {
            return Some((permit, false));
        }
        Arc::clone(&self.kept).try_acquire_owned().ok().map(|permit| (permit, true))
    }

    /// Closes a connection that nobody misses: the oldest that shows no key, else the oldest that shows no request.
    /// Returns `false` if there is none.
    fn has_given_way(&mut self) -> bool {
        self.connections.retain(|known| !known.has_ended());
        let now = Instant::now();
        let stranger = self.connections.iter().position(|known| known.is_stranger(now));
        let Some(at) = stranger.or_else(|| self.connections.iter().position(Known::is_idle)) else { return false };
        let Some(task) = self.connections.remove(at).and_then(|known| known.task.get().cloned()) else { return false };
        metrics().connections_refused.with_label_values(&[GAVE_WAY]).inc();
        task.abort();
        true
    }
}

impl Known {
    fn has_ended(&self) -> bool {
        self.task.get().is_some_and(AbortHandle::is_finished)
    }

    fn is_idle(&self) -> bool {
        self.task.get().is_some() && self.traffic.is_idle()
    }

    /// Returns `true` for one that has shown no key, and is silent or had the time to.
    fn is_stranger(&self, now: Instant) -> bool {
        !self.traffic.is_known() && self.task.get().is_some() && (self.is_idle() || now - self.since >= GRACE)
    }
}

impl Addresses {
    fn enter(&self, address: IpAddr) -> bool {
        if address.is_loopback() && !self.counts_loopback {
            return true;
        }
        let mut open = self.open();
        let count = open.entry(address).or_default();
        if *count >= self.most {
            return false;
        }
        *count += 1;
        true
    }

    fn leave(&self, address: IpAddr) {
        let mut open = self.open();
        if let Some(count) = open.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&address);
            }
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.addresses.leave(self.address);
    }
}

/// Returns the address that stands for a peer, who has a whole network of IPv6.
fn peer_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => Ipv6Addr::from_bits(six.to_bits() & (u128::MAX << (128 - NETWORK_BITS))).into(),
        four => four,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// Lets a connection have a task, which ends when it is told to.
    fn runs(place: Place) -> (Arc<Traffic>, tokio::task::JoinHandle<()>) {
        let (traffic, task) = (Arc::clone(&place.traffic), Arc::clone(&place.task));
        let running = keyway_telemetry::spawn("connection under test", async move {
            let _place = place;
            std::future::pending::<()>().await;
        });
        task.set(running.abort_handle()).unwrap();
        (traffic, running)
    }

    #[test]
    fn a_peer_has_its_network() {
        for (text, expected) in [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ] {
            assert_eq!(peer_of(address(text)), address(expected));
        }
    }

    #[tokio::test]
    async fn an_address_has_its_own_cap() {
        let (one, other, own) = (address("203.0.113.7"), address("203.0.113.8"), address("127.0.0.1"));
        let mut usual = Crowd::new(3, None);
        let held = [usual.admit(one).await, usual.admit(one).await];
        assert!(held.iter().all(Result::is_ok));
        assert_eq!(usual.admit(one).await.err(), Some(ADDRESS));
        drop(held);
        let held = [usual.admit(own).await, usual.admit(own).await, usual.admit(own).await];
        assert!(held.iter().all(Result::is_ok), "a balancer on this machine is many peers");
        let mut crowd = Crowd::new(10, Some(2));
        let first = crowd.admit(one).await.unwrap();
        let _second = crowd.admit(one).await.unwrap();
        assert_eq!(crowd.admit(one).await.err(), Some(ADDRESS));
        assert!(crowd.admit(other).await.is_ok());
        drop(first);
        assert!(crowd.admit(one).await.is_ok());
    }

    #[tokio::test]
    async fn who_shows_no_key_gives_way_before_who_shows_no_request_and_nobody_else_does() {
        let mut crowd = Crowd::new(40, None);
        let mut admitted = Vec::new();
        for at in 0..40 {
            let place = crowd.admit(address(&format!("203.0.113.{at}"))).await.unwrap();
            assert!(place.ordinary.is_none());
            admitted.push(runs(place));
        }
        // All have shown a key but the fifth, and all have a request under way but the third.
        let mut under_way = Vec::new();
        for (at, (traffic, _)) in admitted.iter().enumerate() {
            if at != 4 {
                traffic.note_key();
            }
            if at != 2 && at != 4 {
                under_way.push(traffic.begin(false));
            }
        }
        for gives_way in [4, 2] {
            let place = crowd.admit(address("198.51.100.1")).await.unwrap();
            assert!(place.ordinary.is_none() && (&mut admitted[gives_way].1).await.unwrap_err().is_cancelled());
            let (traffic, task) = runs(place);
            traffic.note_key();
            under_way.push(traffic.begin(false));
            admitted.push((traffic, task));
        }
        let late = address("198.51.100.2");
        let kept = [crowd.admit(late).await, crowd.admit(late).await];
        assert!(kept.iter().all(|place| place.as_ref().is_ok_and(|place| place.ordinary.is_some())));
        assert_eq!(crowd.admit(late).await.err(), Some(LIMIT));
    }
}
