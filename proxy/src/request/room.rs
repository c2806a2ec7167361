//! The room: memory of all bodies that are read before they are forwarded, with a share for each virtual key and for
//! each tenant, so that nobody's bodies take what others need. Where a share or the whole is used up, the body that
//! arrives slowest gives way.
//!
//! A body that comes in one piece costs three atomic additions, and neither a lock nor an allocation. It is counted on
//! from its arrival until it has been sent on; what was read of a refused one is given back at once.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool, AtomicU64, AtomicUsize,
            Ordering::{AcqRel, Acquire, Relaxed},
        },
    },
    time::Duration,
};

use keyway_telemetry::metrics;
use tokio::{sync::Notify, time::Instant};
use uuid::Uuid;

use super::caller::Principal;
use crate::refusal::{Code, Refusal};

/// Number of counters, of tenants and of keys each. Those whose ids fall together share a share.
const COUNTERS: usize = 1024;
/// Share of a virtual key in the whole, and that of a tenant: quarters.
const KEY_QUARTERS: usize = 2;
const TENANT_QUARTERS: usize = 3;
/// Age at which a body has a speed to be judged by.
const GRACE: Duration = Duration::from_millis(500);
/// Bytes per second above which a body never gives way: it ends by itself soon.
const FAST: u64 = 256 << 10;
/// Time for which a body waits for the room that another gives back.
const WAIT: Duration = Duration::from_secs(1);

/// The room of one process.
#[derive(Clone)]
pub(crate) struct Room(Arc<Inner>);

struct Inner {
    body_bytes: usize,
    whole: Counter,
    keys: Box<[AtomicUsize]>,
    key_bytes: usize,
    tenants: Box<[AtomicUsize]>,
    tenant_bytes: usize,
    /// Bodies of which a part has arrived.
    arriving: Mutex<HashMap<u64, Arc<Part>>>,
    next: AtomicU64,
    /// Number of bodies that wait for room.
    waiting: AtomicUsize,
    freed: Notify,
}

struct Counter {
    used: AtomicUsize,
    most: usize,
}

/// Counters of the one whose body it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Payer {
    key: usize,
    tenant: usize,
}

/// Room taken by a body, given back when dropped.
pub(crate) struct Taken {
    room: Arc<Inner>,
    payer: Payer,
    bytes: usize,
}

/// The counter that has nothing left.
#[derive(Clone, Copy)]
enum Full {
    Key,
    Tenant,
    Whole,
}

/// A body of which a part has arrived.
struct Part {
    payer: Payer,
    begun: Instant,
    bytes: AtomicU64,
    gives_way: AtomicBool,
    told: Notify,
}

/// A body in the list of those that are arriving, until dropped.
pub(crate) struct Arrives {
    room: Arc<Inner>,
    id: u64,
    part: Arc<Part>,
}

impl Payer {
    /// Returns the counters of a call by this principal.
    pub(crate) fn of(principal: &Principal) -> Self {
        Self::of_ids(principal.tenant_id.uuid(), principal.virtual_key_id.uuid())
    }

    fn of_ids(tenant: Uuid, key: Uuid) -> Self {
        // The low half of our ids is random, and no caller chooses it.
        let at = |id: Uuid| usize::try_from(id.as_u64_pair().1 % COUNTERS as u64).unwrap_or(0);
        Self { key: at(key), tenant: at(tenant) }
    }
}

impl Room {
    /// Builds a room for bodies of at most `body_bytes`, which take at most `total_bytes` together.
    pub(crate) fn new(body_bytes: usize, total_bytes: usize) -> Self {
        let most = total_bytes.max(body_bytes);
        let share = |quarters: usize| (most / 4 * quarters).max(body_bytes);
        let counters = || (0..COUNTERS).map(|_| AtomicUsize::new(0)).collect();
        Self(Arc::new(Inner {
            body_bytes,
            whole: Counter { used: AtomicUsize::new(0), most },
            keys: counters(),
            key_bytes: share(KEY_QUARTERS),
            tenants: counters(),
            tenant_bytes: share(TENANT_QUARTERS),
            arriving: Mutex::default(),
            next: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            freed: Notify::new(),
        }))
    }

    /// Returns the size of the largest body.
    pub(crate) fn body_bytes(&self) -> usize {
        self.0.body_bytes
    }

    /// Takes room for the next bytes of a body, which may be in the list of those that arrive.
    pub(crate) async fn take(
        &self,
        taken: &mut Option<Taken>,
        payer: Payer,
        bytes: usize,
        arrives: Option<&Arrives>,
    ) -> Result<(), Refusal> {
        if self.0.add(payer, bytes).is_ok() {
            self.0.took(taken, payer, bytes);
            return Ok(());
        }
        self.0.take_from_others(payer, bytes, arrives).await?;
        self.0.took(taken, payer, bytes);
        Ok(())
    }

    /// Puts a body in the list of those that arrive.
    pub(crate) fn arrives(&self, payer: Payer) -> Arrives {
        let part = Part {
            payer,
            begun: Instant::now(),
            bytes: AtomicU64::new(0),
            gives_way: AtomicBool::new(false),
            told: Notify::new(),
        };
        let (part, id) = (Arc::new(part), self.0.next.fetch_add(1, Relaxed));
        self.0.arriving().insert(id, Arc::clone(&part));
        Arrives { room: Arc::clone(&self.0), id, part }
    }
}

impl Inner {
    fn add(&self, payer: Payer, bytes: usize) -> Result<(), Full> {
        let add = |used: &AtomicUsize, most: usize, full: Full| {
            if used.fetch_add(bytes, AcqRel) + bytes <= most {
                return Ok(());
            }
            used.fetch_sub(bytes, AcqRel);
            Err(full)
        };
        let (key, tenant) = (&self.keys[payer.key], &self.tenants[payer.tenant]);
        add(key, self.key_bytes, Full::Key)?;
        add(tenant, self.tenant_bytes, Full::Tenant).inspect_err(|_| {
            key.fetch_sub(bytes, AcqRel);
        })?;
        add(&self.whole.used, self.whole.most, Full::Whole).inspect_err(|_| {
            key.fetch_sub(bytes, AcqRel);
            tenant.fetch_sub(bytes, AcqRel);
        })
    }

    fn took(self: &Arc<Self>, taken: &mut Option<Taken>, payer: Payer, bytes: usize) {
        match taken {
            Some(taken) => taken.bytes += bytes,
            none => *none = Some(Taken { room: Arc::clone(self), payer, bytes }),
        }
    }

    fn give_back(&self, payer: Payer, bytes: usize) {
        self.keys[payer.key].fetch_sub(bytes, AcqRel);
        self.tenants[payer.tenant].fetch_sub(bytes, AcqRel);
        self.whole.used.fetch_sub(bytes, AcqRel);
        if self.waiting.load(Acquire) > 0 {
            self.freed.notify_waiters();
        }
    }

    /// Takes room that slower bodies give back.
    async fn take_from_others(&self, payer: Payer, bytes: usize, own: Option<&Arrives>) -> Result<(), Refusal> {
        let _waits = Waits::of(&self.waiting);
        let until = Instant::now() + WAIT;
        loop {
            let mut freed = std::pin::pin!(self.freed.notified());
            freed.as_mut().enable();
            let Err(full) = self.add(payer, bytes) else { return Ok(()) };
            if !self.drop_slowest(full, payer, own) || tokio::time::timeout_at(until, freed).await.is_err() {
                return Err(full.refusal());
            }
        }
    }

    /// Has the slowest body give way among those that use what is used up. Returns `false` if that is the one that asks,
    /// or none is slow.
    fn drop_slowest(&self, full: Full, payer: Payer, own: Option<&Arrives>) -> bool {
        let now = Instant::now();
        let uses = |part: &Part| match full {
            Full::Key => part.payer.key == payer.key,
            Full::Tenant => part.payer.tenant == payer.tenant,
            Full::Whole => true,
        };
        let arriving = self.arriving();
        let known = arriving.iter().filter(|(_, part)| uses(part) && now - part.begun >= GRACE);
        let slow = known.map(|(id, part)| (part.speed(now), *id, part)).filter(|(speed, ..)| *speed < FAST);
        // One that has been told and is not gone yet has stopped arriving: it is the slowest.
        let Some((_, id, part)) = slow.min_by_key(|(speed, id, part)| (!part.gives_way.load(Relaxed), *speed, *id))
        else {
            return false;
        };
        if own.is_some_and(|own| own.id == id) {
            return false;
        }
        if !part.gives_way.swap(true, AcqRel) {
            metrics().bodies_dropped.inc();
            part.told.notify_one();
        }
        true
    }

    fn arriving(&self) -> MutexGuard<'_, HashMap<u64, Arc<Part>>> {
        self.arriving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Part {
    /// Returns how many bytes a second it has brought so far.
    fn speed(&self, now: Instant) -> u64 {
        let millis = u64::try_from((now - self.begun).as_millis()).unwrap_or(u64::MAX).max(1);
        self.bytes.load(Relaxed).saturating_mul(1000) / millis
    }
}

impl Arrives {
    /// Notes that the body has brought so many bytes by now.
    pub(crate) fn has(&self, bytes: usize) {
        self.part.bytes.store(bytes as u64, Relaxed);
    }

    /// Waits until the body has to give way to another.
    pub(crate) async fn gives_way(&self) -> Refusal {
        self.part.told.notified().await;
        Refusal::new(Code::BodiesFull, "the body arrived more slowly than others that wait for its memory; try again")
    }
}

impl Full {
    fn refusal(self) -> Refusal {
        let whose = match self {
            Self::Key => "the bodies of this virtual key under way take all the memory that is its share; try again",
            Self::Tenant => "the bodies of this tenant under way take all the memory that is its share; try again",
            Self::Whole => "the bodies under way take all the memory they may; try again",
        };
        Refusal::new(Code::BodiesFull, whose)
    }
}

/// One more that waits, until dropped.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn of(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, AcqRel);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, AcqRel);
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.give_back(self.payer, self.bytes);
    }
}

impl Drop for Arrives {
    fn drop(&mut self) {
        self.room.arriving().remove(&self.id);
    }
}

#[cfg(test)]
#[path = "room_tests.rs"]
mod tests;
