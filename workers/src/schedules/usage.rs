//! Has the usage of every integration fetched.

use std::time::Duration;

use keyway_domain::{Command, UsageWindow};
use keyway_store::{StoreError, integrations, operations::rounds};

use super::{
    fire::{fire, start},
    round::{Round, SLICE},
};
use crate::Ctx;

/// Its name in the table.
pub(super) const NAME: &str = "usage";
/// Span of the last days, which providers restate: they are read again each time.
const RESTATED: Duration = Duration::from_secs(3 * 86_400);
const DAY: Duration = Duration::from_secs(86_400);

/// Starts one plan per tenant with an integration whose usage may be reportable, all in the transaction of the firing.
/// A tenant whose last plan has not written its children yet is skipped.
pub(super) async fn run(ctx: &Ctx, Round { at, now }: Round) -> Result<(), StoreError> {
    let tx = ctx.store.system().await?;
    if !fire(&tx, NAME, at, now).await? {
        return Ok(());
    }
    let window = UsageWindow { from: now.before(RESTATED).floor(DAY), to: now };
    // Every fetch at the same moment would be a burst for the providers: a fifth of the interval is enough.
    let spread_ms = u64::try_from(ctx.settings.usage_interval.as_millis()).unwrap_or(u64::MAX) / 5;
    let mut after = None;
    loop {
        let tenants = integrations::tenants_with_reportable(&tx, after, SLICE).await?;
        let Some(last) = tenants.last() else { break };
        after = Some(*last);
        let waits = rounds::unplanned(&tx, &tenants).await?;
        let tenants = tenants.into_iter().filter(|tenant| !waits.contains(tenant));
        let plan = Command::PlanUsage { window, spread_ms, recheck: false, provider: None };
        start(&tx, tenants.map(|tenant| (tenant, plan.clone())), now).await?;
    }
    tx.commit().await
}
