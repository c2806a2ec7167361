//! Rolls up what a build without rollups has appended to the ledger: while an upgrade is rolled out, and after it was
//! rolled back. In any other minute there is nothing.

use keyway_store::{StoreError, usage};

use super::round::{Round, SLICE};
use crate::Ctx;

/// Rolls up all that is left, in slices. Several workers may do so at once: each takes other calls.
///
/// # Errors
/// The database is away: the next look finds the same.
pub(super) async fn run(ctx: &Ctx, _: Round) -> Result<(), StoreError> {
    loop {
        let tx = ctx.store.system().await?;
        let rolled_up = usage::roll_up_left(&tx, SLICE).await?;
        if rolled_up == 0 {
            return Ok(());
        }
        tx.commit().await?;
        tracing::info!(calls = rolled_up, "calls that an earlier build has appended are rolled up");
    }
}
