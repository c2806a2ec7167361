//! Warnings of budgets: at each share of a window once, the higher one if both are passed at once, and anew in the next
//! window.

use anyhow::Result;
use keyway_domain::{LimitScope, Measure, Timestamp};
use keyway_store::{
    budgets::{self, UsedBudget},
    raw,
};

use crate::fixture::{Fixture, NOW, on_both};

on_both! { each_share_of_a_window_is_told_once }

const BUDGET: i64 = 5_000_000_000;

async fn used(fixture: &Fixture, used: i64, at: Timestamp) -> Result<Vec<UsedBudget>> {
    let start = Measure::DailyBudget.window(at).start.ms();
    let tx = fixture.store.system().await?;
    raw::execute(&tx, &format!("UPDATE projects SET daily_budget_nano_usd = {BUDGET}")).await?;
    raw::execute(&tx, "DELETE FROM limit_windows").await?;
    let row = format!(
        "INSERT INTO limit_windows SELECT tenant_id, id, 'daily_budget', {start}, 0, {used}, 1 FROM projects \
         WHERE name = 'default'"
    );
    raw::execute(&tx, &row).await?;
    let due = budgets::warnings_due(&tx, at, 100).await?;
    tx.commit().await?;
    Ok(due)
}

async fn each_share_of_a_window_is_told_once(fixture: Fixture) -> Result<()> {
    let tomorrow = NOW.after(std::time::Duration::from_secs(86_400));
    for (at, nano_usd, percent) in [
        (NOW, 0, None),
        (NOW, BUDGET / 100 * 80 - 1, None),
        (NOW, BUDGET / 100 * 80, Some(80)),
        (NOW, BUDGET / 100 * 99, None),
        (NOW, BUDGET, Some(100)),
        (NOW, BUDGET * 2, None),
        (tomorrow, BUDGET / 100 * 79, None),
        (tomorrow, BUDGET * 2, Some(100)),
        // What is less than was told is no news.
        (tomorrow, BUDGET / 100 * 85, None),
    ] {
        let due = used(&fixture, nano_usd, at).await?;
        assert_eq!(due.first().map(|due| due.percent), percent, "{nano_usd} at {at}");
        for due in due {
            assert_eq!((due.scope, due.name.as_str(), due.budget_nano_usd), (LimitScope::Project, "default", BUDGET));
            assert_eq!((due.tenant_id, due.project_id), (fixture.tenant, Some(fixture.project)));
        }
    }
    Ok(())
}
