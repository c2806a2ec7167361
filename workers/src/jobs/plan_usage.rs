//! `PlanUsage` (lane `usage.plan`): write one `FetchUsage` per active integration of the tenant; on a schedule, only
//! for those that may report usage and that no earlier round still fetches.
//!
//! Integrations are read in pages and each page's children are written in one transaction, so memory
//! does not grow with their number. A child's id follows from plan and integration, and only a child
//! that is new gets a message: planning twice writes and starts nothing twice.

use std::{collections::HashSet, time::Duration};

use keyway_domain::{Command, Event, Message, OperationId, Outcome, Timestamp, UsageWindow};
use keyway_store::{
    integrations,
    operations::{self, NewOperation, Origin, rounds},
    outbox, transitions,
};

use crate::{Ctx, HandlerError};

const PAGE: u64 = 500;

/// Writes the children of one plan.
pub(super) async fn run(
    ctx: &Ctx,
    message: &Message,
    window: UsageWindow,
    spread_ms: u64,
    (recheck, provider): (bool, Option<&str>),
) -> Result<Outcome, HandlerError> {
    let Some(plan) = message.operation_id else {
        return Err(HandlerError::Defect("a plan without its operation".to_owned()));
    };
    let now = message.created_at;
    let (mut after, mut total) = (None, 0_i64);
    loop {
        let tx = ctx.store.tenant(message.tenant_id).await?;
        // Held until the page is written: who calls the plan off finds all children there are.
        let held = transitions::lock(&tx, &[plan]).await?;
        let row = held.iter().find(|row| row.id == plan);
        if row.is_some_and(|row| row.state.is_final()) {
            return Ok(Outcome::Done(Vec::new()));
        }
        let page = integrations::active_page(&tx, !recheck, provider, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        let busy = if row.is_some_and(|row| row.origin == Origin::Schedule) {
            let ids: Vec<_> = page.iter().map(|active| active.id).collect();
            rounds::fetching(&tx, plan, &ids).await?
        } else {
            HashSet::new()
        };
        let children: Vec<_> = page
            .iter()
            .filter(|active| !busy.contains(&active.id))
            .map(|active| {
                let id = plan.child(active.id);
                let due_at = now.after(offset(id, spread_ms));
                let command = Command::FetchUsage { integration_id: active.id, window, resume: None };
                let (tenant_id, parent_id) = (message.tenant_id, Some(plan));
                NewOperation { id, tenant_id, parent_id, origin: Origin::Parent, total: None, due_at, command }
            })
            .collect();
        total += i64::try_from(children.len()).unwrap_or(i64::MAX);
        let added: HashSet<_> = operations::insert_missing(&tx, &children, now).await?.into_iter().collect();
        let fetches: Vec<_> = children
            .into_iter()
            .filter(|child| added.contains(&child.id))
            .map(|child| {
                let fetch = Message::command(message.tenant_id, child.id, child.command);
                let traceparent = message.traceparent.clone();
                (Message { traceparent, created_at: child.due_at, ..fetch }, child.due_at)
            })
            .collect();
        let due: Vec<_> = fetches.iter().map(|(fetch, due_at)| (fetch, *due_at)).collect();
        outbox::insert_due(&tx, &due).await?;
        tx.commit().await?;
    }
    Ok(Outcome::Done(vec![Event::UsagePlanned { total, observed_at: Timestamp::now() }]))
}

/// Returns a child's offset in the spread: the same for the same id, spread evenly over all children.
fn offset(id: OperationId, spread_ms: u64) -> Duration {
    let low = u64::try_from(id.uuid().as_u128() & u128::from(u64::MAX)).unwrap_or(0);
    Duration::from_millis(if spread_ms == 0 { 0 } else { low % spread_ms })
}
