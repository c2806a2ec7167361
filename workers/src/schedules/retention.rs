//! Deletes what has been kept long enough.

use std::time::Duration;

use keyway_store::{HOURS_KEPT, StoreError, mails, retention, sign_in_attempts::FORGOTTEN_AFTER};

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

/// Deletes old rows in slices, so that no delete holds other transactions up.
pub(super) async fn run(ctx: &Ctx, Round { at, now }: Round) -> Result<(), StoreError> {
    if !fire_alone(ctx, NAME, Round { at, now }).await? {
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
