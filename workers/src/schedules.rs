//! The schedules: usage for every integration, verification of every key that is due, retention, and checks whose
//! findings owners should know.
//!
//! They fire on every worker and are made single by `UNIQUE(schedule, fire_at)` in the transaction that writes the
//! outbox rows: no leader election. Firings missed while no worker ran coalesce to one.

use std::{sync::Arc, time::Duration};

use keyway_domain::{Body, Command, Event, Message, MessageId, Timestamp, UsageWindow};
use keyway_store::{StoreError, integrations, operations::rounds, outbox, replicas, retention};
use keyway_telemetry::metrics;
use tokio_util::sync::CancellationToken;

use crate::{
    Ctx, drift, expiry,
    firing::{fire, start},
    waiting,
};

const TICK: Duration = Duration::from_secs(1);
const SLICE: u64 = 500;
/// Span of the last days, which providers restate: they are read again each time.
const RESTATED: Duration = Duration::from_secs(3 * 86_400);
const DAY: Duration = Duration::from_secs(86_400);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// Age at which windows of limits are deleted; longer than any window, which is a month.
const LONGEST_LIMIT: Duration = Duration::from_secs(62 * 86_400);

/// Time within which every live replica acknowledges.
const REVOCATION_DEADLINE: Duration = Duration::from_secs(120);
/// Age below which a revocation is not reviewed: replicas usually acknowledge at once.
const REVOCATION_SETTLES: Duration = Duration::from_secs(2);

/// Names of all schedules in metrics and firings.
pub(crate) const NAMES: [&str; 5] = ["usage", "verify", "waiting", "drift", "retention"];

/// Fires until `stop`.
pub(crate) async fn run(ctx: Arc<Ctx>, stop: CancellationToken) {
    let mut fired = Fired::default();
    loop {
        // Not the clock of this process, which may be wrong alone.
        let result = match ctx.store.now().await {
            Ok(now) => tick(&ctx, &mut fired, now).await,
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            tracing::warn!(%error, "a schedule could not fire, it tries again");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(TICK) => {}
        }
    }
}

/// Rounds that this process knows to be fired, by any process.
#[derive(Default)]
struct Fired {
    usage: Option<Timestamp>,
    /// Latest round that verified waiting keys and reviewed revocations.
    beat: Option<Timestamp>,
    /// Latest round that looked for expiry warnings.
    minute: Option<Timestamp>,
    drift: Option<Timestamp>,
    retention: Option<Timestamp>,
}

async fn tick(ctx: &Ctx, fired: &mut Fired, now: Timestamp) -> Result<(), StoreError> {
    let usage = now.floor(ctx.settings.usage_interval);
    if fired.usage != Some(usage) {
        plan_usage(ctx, usage, now).await?;
        fired.usage = Some(usage);
    }
    while verify_due(ctx, now).await? == SLICE {}
    let beat = now.floor(replicas::BEAT);
    if fired.beat != Some(beat) {
        waiting::attend(ctx, beat, now).await?;
        review_revocations(ctx, beat, now).await?;
        fired.beat = Some(beat);
    }
    let minute = now.floor(MINUTE);
    if fired.minute != Some(minute) {
        expiry::warn(ctx, now).await?;
        fired.minute = Some(minute);
    }
    let round = now.floor(HOUR);
    if fired.drift != Some(round) {
        if fire_alone(ctx, "drift", round, now).await? {
            drift::look(ctx, now).await?;
        }
        fired.drift = Some(round);
    }
    if fired.retention != Some(round) {
        delete_old(ctx, round, now).await?;
        fired.retention = Some(round);
    }
    Ok(())
}

/// Starts one plan per tenant with an integration whose usage may be reportable, all in the transaction of the firing.
/// A tenant whose last plan has not written its children yet is skipped.
async fn plan_usage(ctx: &Ctx, fire_at: Timestamp, now: Timestamp) -> Result<(), StoreError> {
    let tx = ctx.store.system().await?;
    if !fire(&tx, "usage", fire_at, now).await? {
        return Ok(());
    }
    let window = UsageWindow { from: now.before(RESTATED).floor(DAY), to: now };
    // Every fetch at the same moment would be a burst for the providers: a fifth of the interval is enough.
    let spread_ms = u64::try_from(ctx.settings.usage_interval.as_millis()).unwrap_or(u64::MAX) / 5;
    let mut after = None;
    loop {
        let tenants = integrations::tenants_with_reportable(&tx, after, SLICE).await?;
        let Some(last) = tenants.last() else { break };
        after = Some(*last);
        let waits = rounds::unplanned(&tx, &tenants).await?;
        let tenants = tenants.into_iter().filter(|tenant| !waits.contains(tenant));
        let plan = Command::PlanUsage { window, spread_ms, recheck: false, provider: None };
        start(&tx, tenants.map(|tenant| (tenant, plan.clone())), now).await?;
    }
    tx.commit().await
}

/// Starts the verification of keys whose check is due; returns their number.
async fn verify_due(ctx: &Ctx, now: Timestamp) -> Result<u64, StoreError> {
    let tx = ctx.store.system().await?;
    let due = integrations::due_for_verification(&tx, now, now.after(ctx.settings.verify_interval), SLICE).await?;
    if due.is_empty() {
        return Ok(0);
    }
    let jittered = due.iter().map(|due| (due.id, next_check(now, ctx.settings.verify_interval)));
    integrations::set_next_check(&tx, &jittered.collect::<Vec<_>>()).await?;
    let commands = due.iter().map(|due| {
        let command =
            Command::VerifyKey { integration_id: due.id, secret_version: due.secret_version, confirming: false };
        (due.tenant_id, command)
    });
    start(&tx, commands, now).await?;
    tx.commit().await?;
    metrics().schedule_fires.with_label_values(&["verify"]).inc();
    Ok(due.len() as u64)
}

/// Sends revocations that wait for a replica to the status writer: the replica may be gone by now, or never answer.
async fn review_revocations(ctx: &Ctx, round: Timestamp, now: Timestamp) -> Result<(), StoreError> {
    let tx = ctx.store.system().await?;
    let waiting = replicas::pending(&tx, SLICE).await?;
    let due: Vec<_> = waiting
        .into_iter()
        .filter(|revocation| revocation.created_at <= now.before(REVOCATION_SETTLES))
        .map(|revocation| {
            let overdue = revocation.created_at <= now.before(REVOCATION_DEADLINE);
            let event = Event::RevocationDue { overdue, observed_at: now };
            let id = MessageId::of_attempt(revocation.id, revocation.attempt);
            let id = id.derived(&format!("due/{}", round.ms()));
            let (operation_id, attempt) = (Some(revocation.id), revocation.attempt);
            Message { operation_id, attempt, ..Message::new(id, revocation.tenant_id, Body::Event(event)) }
        })
        .collect();
    outbox::insert(&tx, &due, Timestamp::now()).await?;
    replicas::delete_gone(&tx).await?;
    tx.commit().await
}

/// Deletes old rows in slices, so that no delete holds other transactions up.
async fn delete_old(ctx: &Ctx, round: Timestamp, now: Timestamp) -> Result<(), StoreError> {
    if !fire_alone(ctx, "retention", round, now).await? {
        return Ok(());
    }
    let before = now.before(ctx.settings.retention);
    let ledger_before = now.before(ctx.settings.ledger_retention);
    // The fire of a round that still runs must stay, or the round is fired again.
    let fires_before = before.min(now.before(2 * ctx.settings.usage_interval)).min(now.before(2 * HOUR));
    let mut left = true;
    while left {
        let tx = ctx.store.system().await?;
        let deleted = [
            retention::delete_finished_operations(&tx, before, SLICE).await?,
            retention::delete_verdicts(&tx, before, SLICE).await?,
            retention::delete_settled_dead_letters(&tx, before, SLICE).await?,
            retention::delete_idempotency_keys(&tx, now.before(DAY), SLICE).await?,
            retention::delete_schedule_fires(&tx, fires_before, SLICE).await?,
            retention::delete_metered_calls(&tx, ledger_before, SLICE).await?,
            retention::delete_counted_answers(&tx, ledger_before, SLICE).await?,
            retention::delete_key_usage(&tx, ledger_before, SLICE).await?,
            retention::delete_drift_alarms(&tx, ledger_before, SLICE).await?,
            retention::delete_limit_windows(&tx, now.before(LONGEST_LIMIT), SLICE).await?,
        ];
        tx.commit().await?;
        left = deleted.contains(&SLICE);
    }
    Ok(())
}

/// Fires a round whose work is not one transaction; if the work ends midway, the next round goes on.
async fn fire_alone(ctx: &Ctx, schedule: &'static str, at: Timestamp, now: Timestamp) -> Result<bool, StoreError> {
    let tx = ctx.store.system().await?;
    let first = fire(&tx, schedule, at, now).await?;
    tx.commit().await?;
    Ok(first)
}

/// Returns the time of the next check: `interval` after `now`, plus or minus a tenth, so that keys that came together
/// do not stay together.
pub(crate) fn next_check(now: Timestamp, interval: Duration) -> Timestamp {
    now.after(interval.mul_f64(0.9 + 0.2 * fastrand::f64()))
}
