//! Budgets that are nearly used up, by the use that processes have reported: each share of each window is claimed once.

use keyway_domain::{LimitScope, Measure, ProjectId, TenantId, Timestamp};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{
    StoreError, SystemTx,
    sql::{Sql, limit},
};

/// Shares of a budget, in percent, at which its owner is warned; the highest first.
pub const WARNING_PERCENTS: [i64; 2] = [100, 80];

/// Tables whose rows have budgets, with their scope, name and project.
const SCOPES: [(LimitScope, &str, &str, &str); 4] = [
    (LimitScope::VirtualKey, "virtual_keys", "name", "project_id"),
    (LimitScope::Project, "projects", "name", "id"),
    (LimitScope::Integration, "integrations", "name", "project_id"),
    (LimitScope::Provider, "provider_limits", "provider", "NULL"),
];

/// Budget of which a share is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedBudget {
    /// Tenant.
    pub tenant_id: TenantId,
    /// Name of the tenant.
    pub tenant: String,
    /// Scope of the budget.
    pub scope: LimitScope,
    /// Name of the key, project, integration or provider that it limits.
    pub name: String,
    /// Project that it is in; `None`: the whole tenant.
    pub project_id: Option<ProjectId>,
    /// Share that is used, one of [`WARNING_PERCENTS`].
    pub percent: i64,
    /// Budget in nano-USD.
    pub budget_nano_usd: i64,
}

#[derive(FromQueryResult)]
struct Row {
    tenant_id: Uuid,
    tenant: String,
    scope_id: Uuid,
    name: String,
    project_id: Option<Uuid>,
    used: i64,
    budget: i64,
}

/// Claims the warnings that are due, so that no other process gives them too. Of two shares that were passed at once
/// the higher one is told.
///
/// # Errors
/// See [`StoreError`].
pub async fn warnings_due(tx: &SystemTx, now: Timestamp, rows: u64) -> Result<Vec<UsedBudget>, StoreError> {
    let mut due = Vec::new();
    for measure in Measure::ALL.into_iter().filter(|measure| measure.is_budget()) {
        for (scope, table, name, project) in SCOPES {
            let column = format!("{}_nano_usd", measure.name());
            let mut sql = Sql::new(&format!(
                "SELECT w.tenant_id, t.name AS tenant, w.scope_id, o.{name} AS name, w.used, o.{column} AS budget, \
                 {} AS project_id FROM limit_windows w JOIN {table} o ON o.id = w.scope_id AND o.tenant_id = w.tenant_id \
                 JOIN tenants t ON t.id = w.tenant_id WHERE w.measure = ",
                if project == "NULL" { "CAST(NULL AS UUID)".to_owned() } else { format!("o.{project}") }
            ));
            let start = measure.window(now).start;
            sql.bind(measure.name()).push(" AND w.window_start_ms = ").bind(start.ms());
            sql.push(&format!(" AND o.{column} > 0 AND w.used > 0 AND w.used >= o.{column} / 100 * "));
            sql.bind(WARNING_PERCENTS[1]);
            sql.push(
                " AND NOT EXISTS (SELECT 1 FROM budget_warnings b WHERE b.tenant_id = w.tenant_id \
                      AND b.scope_id = w.scope_id AND b.measure = w.measure AND b.window_start_ms = w.window_start_ms \
                      AND b.percent >= CASE WHEN w.used >= ",
            );
            sql.push(&format!("o.{column} THEN 100 ELSE 80 END) ORDER BY w.tenant_id, w.scope_id LIMIT "));
            sql.bind(limit(rows));
            for row in sql.rows::<Row>(tx).await? {
                let percent = if row.used >= row.budget { WARNING_PERCENTS[0] } else { WARNING_PERCENTS[1] };
                if claim(tx, &row, (measure, start), percent, now).await? {
                    due.push(UsedBudget {
                        tenant_id: TenantId::from_uuid(row.tenant_id),
                        tenant: row.tenant,
                        scope,
                        name: row.name,
                        project_id: row.project_id.map(ProjectId::from_uuid),
                        percent,
                        budget_nano_usd: row.budget,
                    });
                }
            }
        }
    }
    Ok(due)
}

async fn claim(
    tx: &SystemTx,
    row: &Row,
    (measure, start): (Measure, Timestamp),
    percent: i64,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let text = "INSERT INTO budget_warnings (tenant_id, scope_id, measure, window_start_ms, percent, warned_at_ms) \
                VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    let key = [row.tenant_id.into(), row.scope_id.into(), measure.name().into(), start.ms().into()];
    let percent = i32::try_from(percent).unwrap_or(i32::MAX);
    let values = key.into_iter().chain([percent.into(), now.ms().into()]);
    Ok(Sql::with(text, values).run(tx).await? == 1)
}
