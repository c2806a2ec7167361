//! Takes audit events that were appended past the chains of their tenants into them, while these take them in. Any worker
//! may, all at once: the lock of a chain lets each event in once.

use keyway_store::{StoreError, audit_chain};

use super::round::{Round, SLICE};
use crate::Ctx;

/// Takes in all that there are, in slices; who comes later or after a failure goes on.
///
/// # Errors
/// The database is away: the next look goes on.
pub(super) async fn run(ctx: &Ctx, Round { now, .. }: Round) -> Result<(), StoreError> {
    for tenant_id in audit_chain::adopting(&ctx.store.system_read().await?).await? {
        let mut after = None;
        loop {
            let tx = ctx.store.system().await?;
            after = audit_chain::adopt(&tx, tenant_id, after, SLICE, now).await?;
            tx.commit().await?;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(())
}
