//! Deletes what has been kept long enough.

use std::time::Duration;

use keyway_domain::Timestamp;
use keyway_store::{HOURS_KEPT, StoreError, mails, retention, schedules, sign_in_attempts::FORGOTTEN_AFTER};

use super::{
    fire::fire_alone,
    round::{HOUR, Round, SLICE},
};
use crate::Ctx;

/// Its name in the table.
pub(super) const NAME: &str = "retention";
const DAY: Duration = Duration::from_secs(86_400);
/// Age at which windows of limits are deleted; longer than any window, which is a month.
const LONGEST_LIMIT: Duration = Duration::from_secs(62 * 86_400);

/// Time after which a place that nobody signed in from is new again.
const LONGEST_ABSENCE: Duration = Duration::from_secs(180 * 86_400);

/// Deletes old rows in slices, so that no delete holds other transactions up. Deletes nothing in a round whose clock may
/// be wrong: what a clock of the future deletes never comes back, and what stays goes with the next round.
pub(super) async fn run(ctx: &Ctx, Round { at, now }: Round) -> Result<(), StoreError> {
    if !fire_alone(ctx, NAME, Round { at, now }).await? {
        return Ok(());
    }
    let before = schedules::before(&ctx.store.system_read().await?, NAME, at).await?;
    if let Err(why) = trusted(before, Round { at, now }, Timestamp::now()) {
        tracing::warn!(database_now = %now, before = before.map(tracing::field::display), why, "nothing is deleted yet");
        return Ok(());
    }
    delete(ctx, now).await
}

/// Judges the database's clock by the round before, and by the clock of this process.
fn trusted(before: Option<Timestamp>, Round { at, now }: Round, here: Timestamp) -> Result<(), &'static str> {
    if now.before(DAY) > here || here.before(DAY) > now {
        return Err("the clocks of the database and of this process are more than a day apart");
    }
    match before {
        Some(before) if at.before(DAY) > before => Err("the last round is more than a day ago; the next one deletes"),
        _ => Ok(()),
    }
}

async fn delete(ctx: &Ctx, now: Timestamp) -> Result<(), StoreError> {
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
            retention::delete_usage_hours(&tx, now.before(HOURS_KEPT), SLICE).await?,
            retention::delete_counted_answers(&tx, ledger_before, SLICE).await?,
            retention::delete_key_usage(&tx, ledger_before, SLICE).await?,
            retention::delete_drift_alarms(&tx, ledger_before, SLICE).await?,
            retention::delete_limit_windows(&tx, now.before(LONGEST_LIMIT), SLICE).await?,
            retention::delete_ended_sessions(&tx, now, SLICE).await?,
            retention::delete_expired_link_tokens(&tx, now, SLICE).await?,
            retention::delete_sign_in_attempts(&tx, now.before(FORGOTTEN_AFTER), SLICE).await?,
            retention::delete_old_invitations(&tx, before, SLICE).await?,
            retention::delete_known_places(&tx, now.before(LONGEST_ABSENCE), SLICE).await?,
            retention::delete_budget_warnings(&tx, now.before(LONGEST_LIMIT), SLICE).await?,
            mails::delete_settled(&tx, before, SLICE).await?,
        ];
        tx.commit().await?;
        left = deleted.contains(&SLICE);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_leaps_is_not_believed_at_once() {
        let (hour, year) = (HOUR, 365 * DAY);
        let now = Timestamp::from_ms(2_000_000_000_000);
        let later = |by: Duration| Timestamp::from_ms(now.ms() + i64::try_from(by.as_millis()).unwrap());
        let round = |now: Timestamp| Round { at: now, now };
        for (before, at, here, expected) in [
            (None, now, now, true),
            (Some(now.before(hour)), now, now, true),
            (Some(now.before(DAY)), now, now, true),
            (Some(now.before(DAY + hour)), now, now, false),
            (Some(now.before(hour)), later(year), later(year), false),
            (Some(now.before(hour)), later(hour), now, true),
            (Some(now.before(hour)), later(DAY + hour), now, false),
            (Some(now.before(hour)), now, later(DAY + hour), false),
        ] {
            assert_eq!(trusted(before, round(at), here).is_ok(), expected, "{before:?} {at:?} {here:?}");
        }
    }
}
