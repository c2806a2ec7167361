//! Signs the audit chains that have grown: once a minute, or at once if they have grown by much. Any worker may; a second
//! checkpoint of one size is not stored.

use std::time::Duration;

use keyway_audit::{Checkpoint, Signer, log_name};
use keyway_store::{
    StoreError,
    audit_chain::{self, StoredCheckpoint},
};

use super::round::{Round, SLICE};
use crate::Ctx;

const AGE: Duration = Duration::from_secs(60);

/// Signs every chain that is due. While the vault is sealed none is.
///
/// # Errors
/// The database is away: the next look finds the same.
pub(super) async fn run(ctx: &Ctx, Round { now, .. }: Round) -> Result<(), StoreError> {
    let Ok(signer) = Signer::of(ctx.keys.vault()) else { return Ok(()) };
    loop {
        let tx = ctx.store.system().await?;
        let unsigned = audit_chain::unsigned(&tx, now.before(AGE), SLICE).await?;
        for chain in &unsigned {
            let (log, size, root) = (log_name(chain.tenant_id), chain.size, chain.root);
            let note = signer.sign(&Checkpoint { log, size, root, at: now });
            audit_chain::sign(&tx, chain.tenant_id, &StoredCheckpoint { size, note, created_at: now }).await?;
        }
        tx.commit().await?;
        if (unsigned.len() as u64) < SLICE {
            return Ok(());
        }
    }
}
