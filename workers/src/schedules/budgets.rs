//! Tells owners that a budget is used up, or nearly: each share of each window once, across all processes.

use keyway_domain::{BudgetMail, MailContent, Permission, Timestamp};
use keyway_store::{
    StoreError,
    budgets::{self, UsedBudget},
    outbox,
};

use super::round::{Round, SLICE};
use crate::{Ctx, notices};

/// Gives every warning that is due.
///
/// # Errors
/// The database is away: the next look finds the same.
pub(super) async fn run(ctx: &Ctx, Round { now, .. }: Round) -> Result<(), StoreError> {
    let tx = ctx.store.system().await?;
    let mut messages = Vec::new();
    for used in budgets::warnings_due(&tx, now, SLICE).await? {
        let place = (Permission::BUDGETS, used.project_id);
        messages.extend(notices::tell(&tx, &ctx.outgoing, used.tenant_id, place, mail(&used), now).await?);
    }
    outbox::insert(&tx, &messages, Timestamp::now()).await?;
    tx.commit().await
}

fn mail(used: &UsedBudget) -> MailContent {
    MailContent::Budget(BudgetMail {
        tenant: used.tenant.clone(),
        scope: used.scope,
        name: used.name.clone(),
        percent: used.percent,
        budget_nano_usd: used.budget_nano_usd,
    })
}
