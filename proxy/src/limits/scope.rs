//! One limited scope in this process: its shares of the limits, leased by one task at a time, while others wait for it.
//! Its lock is never held across an await.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use keyway_domain::{LimitScope, Limits, Measure, TenantId};
use keyway_store::{
    Store, StoreError,
    limits::{Ask, Lease, lease},
};
use keyway_telemetry::{Home, metrics};
use prometheus::IntCounter;
use tokio::sync::OwnedMutexGuard;
use uuid::Uuid;

use super::lease::{Reserved, Share, Standing};
use crate::refusal::exceeded::State;

/// Time limit of a lease; a slower database counts as away.
const LEASE_TIMEOUT: Duration = Duration::from_secs(3);
/// Pause before a database that was away is asked again.
const AWAY: Duration = Duration::from_secs(1);
/// Largest number of tries: a window may end during a lease, or another call take the amount of a second measure.
const ROUNDS: usize = 16;

/// Bounds of a call by measure; `None`: the measure is not limited.
pub(super) type Needs = [Option<i64>; Measure::ALL.len()];

/// One scope.
pub(super) struct Scope {
    pub(super) kind: LimitScope,
    pub(super) id: Uuid,
    tenant_id: TenantId,
    /// Use by measure, as counted by the metrics.
    used: [IntCounter; Measure::ALL.len()],
    shares: Mutex<Shares>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

struct Shares {
    each: [Share; Measure::ALL.len()],
    away_until: Instant,
}

/// Reservations of one call in a scope. Dropping them hands everything back.
pub(super) struct Taken {
    scope: Arc<Scope>,
    reserved: [Option<Reserved>; Measure::ALL.len()],
}

/// Reason why a call is not let through.
pub(super) enum Refused {
    /// The limit has nothing left for the call.
    Exhausted(LimitScope, Measure, State),
    /// The lease is used up, and the database does not answer.
    Away,
    /// The database refused the lease.
    Store(StoreError),
}

/// Result of looking at the shares.
enum Look {
    Taken(Taken),
    /// Reserved, and the lease should be topped up soon.
    TakenOfLittle(Taken),
    Refused(Refused),
    Short(Vec<Ask>),
}

impl Scope {
    /// Builds a scope without leases.
    pub(super) fn new(kind: LimitScope, tenant_id: TenantId, id: Uuid) -> Self {
        let now = Instant::now();
        let shares = Shares { each: Measure::ALL.map(|measure| Share::new(measure, now)), away_until: now };
        let used = Measure::ALL.map(|it| metrics().limit_used.with_label_values(&[kind.name(), it.name()]));
        Self { kind, id, tenant_id, used, shares: Mutex::new(shares), turn: Arc::default() }
    }

    /// Reserves the bounds of a call, all or none. Asks the database only if too little is leased.
    pub(super) async fn reserve(
        self: &Arc<Self>,
        needs: Needs,
        limits: Limits,
        (home, store): (&Home, &Store),
    ) -> Result<Taken, Refused> {
        match self.look(&mut self.shares(), &needs, &limits, false) {
            Look::Taken(taken) => return Ok(taken),
            Look::TakenOfLittle(taken) => {
                if let Ok(turn) = Arc::clone(&self.turn).try_lock_owned() {
                    drop(home.spawn("limit lease", Arc::clone(self).top_up(limits, store.clone(), turn)));
                }
                return Ok(taken);
            }
            Look::Refused(refused) => return Err(refused),
            Look::Short(_) => {}
        }
        let turn = Arc::clone(&self.turn).lock_owned().await;
        // A task of its own: a caller that leaves must not leave behind what nobody knows to be leased.
        let leasing = Arc::clone(self).lease_and_take(needs, limits, store.clone(), turn);
        home.spawn("limit lease", Box::pin(leasing)).await.unwrap_or(Err(Refused::Away))
    }

    /// Hands back what it has more than it needs; `all`: everything.
    pub(super) async fn give_back(self: &Arc<Self>, all: bool, store: &Store) -> Result<(), Refused> {
        // Whoever leases at the moment needs it.
        let Ok(turn) = Arc::clone(&self.turn).try_lock_owned() else { return Ok(()) };
        let now = Instant::now();
        let asks: Vec<_> = self.shares().each.iter_mut().filter_map(|share| share.spare(all, now)).collect();
        if !asks.is_empty() {
            drop(self.lease(&asks, store).await?);
        }
        drop(turn);
        Ok(())
    }

    /// Returns the amounts leased and not used, by measure.
    pub(super) fn left(&self) -> [i64; Measure::ALL.len()] {
        self.shares().each.each_ref().map(Share::left)
    }

    /// Returns `true` if dropping the scope loses nothing.
    pub(super) fn is_empty(&self) -> bool {
        let now = Instant::now();
        self.shares().each.iter().all(|share| share.is_empty(now))
    }

    async fn lease_and_take(
        self: Arc<Self>,
        needs: Needs,
        limits: Limits,
        store: Store,
        _turn: OwnedMutexGuard<()>,
    ) -> Result<Taken, Refused> {
        // Who waited for its turn may find what the one before leased.
        let mut look = self.look(&mut self.shares(), &needs, &limits, true);
        let mut rounds = 0;
        loop {
            match look {
                Look::Taken(taken) | Look::TakenOfLittle(taken) => return Ok(taken),
                Look::Refused(refused) => return Err(refused),
                Look::Short(asks) if rounds == ROUNDS => {
                    tracing::warn!(scope = self.kind.name(), id = %self.id, "what was leased was gone again, many times over");
                    self.shares().untold(&asks, false);
                    return Err(Refused::Away);
                }
                Look::Short(asks) => {
                    rounds += 1;
                    let mut shares = self.lease(&asks, &store).await?;
                    // Before anybody else takes what was leased for this call.
                    look = self.look(&mut shares, &needs, &limits, true);
                }
            }
        }
    }

    /// Leases more of low shares, while no call waits for them.
    async fn top_up(self: Arc<Self>, limits: Limits, store: Store, _turn: OwnedMutexGuard<()>) {
        let asks = self.shares().ask_for_low(&limits);
        // Those that come will ask again, and be told why not.
        if !asks.is_empty()
            && let Err(Refused::Away | Refused::Store(_)) = self.lease(&asks, &store).await
        {
            tracing::debug!(scope = self.kind.name(), id = %self.id, "a limit could not be leased ahead");
        }
    }

    fn look(self: &Arc<Self>, shares: &mut Shares, needs: &Needs, limits: &Limits, to_ask: bool) -> Look {
        let now = Instant::now();
        let mut short = Vec::new();
        for (at, measure) in Measure::ALL.into_iter().enumerate() {
            let (Some(limit), Some(need)) = (limits.of(measure), needs[at]) else { continue };
            match shares.each[at].standing(need, limit, now) {
                Standing::Fits | Standing::Alone => {}
                Standing::Short => short.push((at, need, limit)),
                Standing::Exhausted => {
                    return Look::Refused(Refused::Exhausted(self.kind, measure, shares.each[at].state(now)));
                }
            }
        }
        if short.is_empty() {
            let mut reserved = [None; Measure::ALL.len()];
            for (at, measure) in Measure::ALL.into_iter().enumerate() {
                if let (Some(_), Some(need)) = (limits.of(measure), needs[at]) {
                    reserved[at] = Some(shares.each[at].reserve(need));
                }
            }
            let taken = Taken { scope: Arc::clone(self), reserved };
            let is_low = shares.low(limits, now).next().is_some();
            return if is_low { Look::TakenOfLittle(taken) } else { Look::Taken(taken) };
        }
        if now < shares.away_until {
            return Look::Refused(Refused::Away);
        }
        let mut ask = |(at, need, limit): (usize, i64, i64)| shares.each[at].ask(need, limit, now);
        Look::Short(if to_ask { short.into_iter().map(&mut ask).collect() } else { Vec::new() })
    }

    /// Asks the database and adds the granted amounts; returns the lock that guards them.
    async fn lease(&self, asks: &[Ask], store: &Store) -> Result<MutexGuard<'_, Shares>, Refused> {
        let mut committing = false;
        let asked = tokio::time::timeout(LEASE_TIMEOUT, self.ask(asks, store, &mut committing)).await;
        let now = Instant::now();
        let mut shares = self.shares();
        let failed = match asked {
            Ok(Ok(leases)) => {
                for (ask, lease) in asks.iter().zip(&leases) {
                    shares.of(ask.measure).credit(ask, lease, now);
                }
                return Ok(shares);
            }
            Ok(Err(error)) if error.is_retryable() => {
                tracing::warn!(%error, scope = self.kind.name(), id = %self.id, "a limit cannot be leased from");
                Refused::Away
            }
            Ok(Err(error)) => Refused::Store(error),
            Err(_) => {
                tracing::warn!(scope = self.kind.name(), id = %self.id, "a limit could not be leased from in time");
                Refused::Away
            }
        };
        shares.untold(asks, committing);
        shares.away_until = now + AWAY;
        Err(failed)
    }

    async fn ask(&self, asks: &[Ask], store: &Store, committing: &mut bool) -> Result<Vec<Lease>, StoreError> {
        let tx = store.tenant(self.tenant_id).await?;
        let leases = lease(&tx, self.id, asks).await?;
        *committing = true;
        tx.commit().await?;
        Ok(leases)
    }

    fn shares(&self) -> MutexGuard<'_, Shares> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shares {
    /// Returns the shares that should be topped up, with their limits.
    fn low(&self, limits: &Limits, now: Instant) -> impl Iterator<Item = (usize, i64)> {
        let low = move |(at, measure): (usize, Measure)| {
            let limit = limits.of(measure)?;
            self.each[at].is_low(limit, now).then_some((at, limit))
        };
        Measure::ALL.into_iter().enumerate().filter_map(low)
    }

    fn ask_for_low(&mut self, limits: &Limits) -> Vec<Ask> {
        let now = Instant::now();
        let low: Vec<_> = self.low(limits, now).collect();
        let ask = |(at, limit): (usize, i64)| {
            let share = &mut self.each[at];
            share.ask(share.left().saturating_add(1), limit, now)
        };
        low.into_iter().map(ask).collect()
    }

    fn untold(&mut self, asks: &[Ask], perhaps_told: bool) {
        for ask in asks {
            self.of(ask.measure).untold(ask, perhaps_told);
        }
    }

    fn of(&mut self, measure: Measure) -> &mut Share {
        &mut self.each[measure as usize]
    }
}

impl Taken {
    /// Ends the reservation with the real use of each measure; `None`: unknown, so the reservation counts as used.
    /// `at_least`: the known use is incomplete, so no less than the reservation counts.
    pub(super) fn settle(mut self, used: &Needs, at_least: bool) {
        let reserved = std::mem::take(&mut self.reserved);
        let mut shares = self.scope.shares();
        for (at, reserved) in reserved.into_iter().enumerate() {
            let Some(reserved) = reserved else { continue };
            let least = if at_least { reserved.amount } else { 0 };
            let used = used[at].unwrap_or(reserved.amount).max(least);
            shares.each[at].settle(reserved, used);
            self.scope.used[at].inc_by(u64::try_from(used).unwrap_or(0));
        }
    }

    /// Returns the states of the limits that the call counts on.
    pub(super) fn states(&self) -> [Option<State>; Measure::ALL.len()] {
        let now = Instant::now();
        let shares = self.scope.shares();
        std::array::from_fn(|at| self.reserved[at].map(|_| shares.each[at].state(now)))
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut shares = self.scope.shares();
        for (at, reserved) in self.reserved.iter().enumerate() {
            if let Some(reserved) = reserved {
                shares.each[at].settle(*reserved, 0);
            }
        }
    }
}
