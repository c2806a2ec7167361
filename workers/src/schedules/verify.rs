//! Has keys verified whose check is due.

use std::time::Duration;

use keyway_domain::{Command, Timestamp};
use keyway_store::{StoreError, integrations};
use keyway_telemetry::metrics;

use super::{
    fire::start,
    round::{Round, SLICE},
};
use crate::Ctx;

/// Its name in the table.
pub(super) const NAME: &str = "verify";

/// Starts the verification of all of them, in slices.
pub(super) async fn run(ctx: &Ctx, Round { now, .. }: Round) -> Result<(), StoreError> {
    while slice(ctx, now).await? == SLICE {}
    Ok(())
}

/// Returns the time of the next check: `interval` after `now`, plus or minus a tenth, so that keys that came together
/// do not stay together.
pub(crate) fn next_check(now: Timestamp, interval: Duration) -> Timestamp {
    now.after(interval.mul_f64(0.9 + 0.2 * fastrand::f64()))
}

/// Starts the verification of keys whose check is due; returns their number.
async fn slice(ctx: &Ctx, now: Timestamp) -> Result<u64, StoreError> {
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
    metrics().schedule_fires.with_label_values(&[NAME]).inc();
    Ok(due.len() as u64)
}
