//! Looks after keys whose verification ended without a verdict, so that none stays `verifying` without an operation:
//! one key per unreachable host is verified for all of them, and keys without a running verification are verified
//! again.

use keyway_domain::{Command, Timestamp};
use keyway_store::{StoreError, integrations, replacements};

use crate::{
    Ctx,
    firing::{fire, start},
};

const SLICE: u64 = 500;

/// Starts verifications that are due; the next round starts the rest.
///
/// # Errors
/// The database is away: the next round finds the same.
pub(crate) async fn attend(ctx: &Ctx, beat: Timestamp, now: Timestamp) -> Result<(), StoreError> {
    let since = now.before(ctx.settings.recheck_after);
    let tx = ctx.store.system().await?;
    let mut due = integrations::unreachable(&tx, since, now, SLICE).await?;
    let unattended = integrations::unattended(&tx, since, SLICE).await?;
    due.extend(unattended.into_iter().filter(|one| !due.contains(one)).collect::<Vec<_>>());
    let waiting = replacements::unattended(&tx, since, SLICE).await?;
    let is_nothing = due.is_empty() && waiting.is_empty();
    if is_nothing || !fire(&tx, "waiting", beat, now).await? {
        return Ok(());
    }
    let verify =
        |integration_id, secret_version| Command::VerifyKey { integration_id, secret_version, confirming: false };
    start(&tx, due.iter().map(|one| (one.tenant_id, verify(one.id, one.secret_version))), now).await?;
    let of_waiting = waiting.iter().map(|one| (one.tenant_id, verify(one.integration_id, one.version)));
    let started = start(&tx, of_waiting, now).await?;
    for (one, operation_id) in waiting.iter().zip(started) {
        replacements::attend(&tx, *one, operation_id).await?;
    }
    tx.commit().await
}
