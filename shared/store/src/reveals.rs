//! Counts how often somebody has a secret revealed, where every replica sees it: no more than a few times a minute. Knows
//! nothing of what is revealed.

use std::time::Duration;

use keyway_domain::Timestamp;
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{
    StoreError, TenantTx,
    sql::{Sql, shared_now},
    transaction::sealed::Inner,
};

/// The most secrets that are revealed to one principal within [`WITHIN`].
pub const MOST: u64 = 5;
/// The time that [`MOST`] speaks of.
pub const WITHIN: Duration = Duration::from_secs(60);

#[derive(FromQueryResult)]
struct Revealed {
    revealed_at_ms: i64,
}

/// Counts a reveal of a principal, which it is known by whatever replica it asks. If there were [`MOST`] within the last
/// minute, says how long to wait, and counts nothing. To be asked while [`crate::reveal_allowances::hold`] holds, so that
/// no other replica counts in between.
///
/// # Errors
/// See [`StoreError`]: where it cannot be counted, nothing must be revealed.
pub async fn count(tx: &TenantTx, principal: &str) -> Result<Option<Duration>, StoreError> {
    // Of one clock: with each replica's own, one that is behind would let through what another has counted.
    let now = if tx.is_postgres() { shared_now(tx).await? } else { Timestamp::now() };
    let (tenant_id, since) = (tx.tenant_id().uuid(), now.before(WITHIN));
    let text = "DELETE FROM reveals WHERE tenant_id = $1 AND revealed_at_ms <= $2";
    Sql::with(text, [tenant_id.into(), since.ms().into()]).run(tx).await?;
    let text =
        "SELECT revealed_at_ms FROM reveals WHERE tenant_id = $1 AND principal = $2 ORDER BY revealed_at_ms DESC";
    let recent: Vec<Revealed> = Sql::with(text, [tenant_id.into(), principal.into()]).rows(tx).await?;
    let last_of_most = usize::try_from(MOST).ok().and_then(|most| recent.get(most.saturating_sub(1)));
    if let Some(first) = last_of_most {
        return Ok(Some(Timestamp::from_ms(first.revealed_at_ms).after(WITHIN).since(now).min(WITHIN)));
    }
    let text = "INSERT INTO reveals (id, tenant_id, principal, revealed_at_ms) VALUES ($1, $2, $3, $4)";
    let values = [Uuid::now_v7().into(), tenant_id.into(), principal.into(), now.ms().into()];
    Sql::with(text, values).run(tx).await?;
    Ok(None)
}
