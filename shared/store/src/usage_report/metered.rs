//! Reports over the metered ledger, from the smallest rollup that has what is asked for: never from the calls.

use keyway_domain::{CredentialSource, IntegrationId, ProjectId, ServedBy, Timestamp, VirtualKeyId};
use sea_orm::Value;
use uuid::Uuid;

use super::{
    FIGURES, GroupBy, GroupKey, GroupValue, MAX_GROUPS, ReportQuery, Row, UsageGroup, nothing, paged, summed, within,
};
use crate::{
    Paged, StoreError, TenantTx,
    page::beyond,
    slices::Slice,
    sql::{Sql, limit},
};

/// Columns that a report can be split by, in the order of its groups. Days and hours are both the start of a rollup.
const COLUMNS: [(GroupBy, &str); 8] = [
    (GroupBy::Hour, "start_ms"),
    (GroupBy::Day, "start_ms"),
    (GroupBy::Project, "project_id"),
    (GroupBy::Integration, "integration_id"),
    (GroupBy::VirtualKey, "virtual_key_id"),
    (GroupBy::Credential, "credential"),
    (GroupBy::Provider, "provider"),
    (GroupBy::Model, "model"),
];
const COUNTS: [&str; 5] =
    ["requests", "failed_requests", "unknown_token_requests", "unpriced_requests", "refused_requests"];

/// Returns a page of the groups of a report.
pub(super) async fn report(tx: &TenantTx, query: &ReportQuery) -> Result<Paged<UsageGroup>, StoreError> {
    let slice = slice(query);
    let columns = columns(query, slice);
    let mut sql = Sql::new("SELECT ");
    let text = ["day", "start_ms", "project_id", "integration_id", "virtual_key_id", "credential", "provider", "model"];
    for column in text {
        let shown = match (columns.contains(&column), column) {
            (true, _) => column.to_owned(),
            (false, "start_ms") => "CAST(NULL AS BIGINT) AS start_ms".to_owned(),
            (false, _) => nothing(tx, column),
        };
        sql.push(&shown).push(", ");
    }
    let sums: Vec<_> = COUNTS.into_iter().chain(FIGURES).map(summed).collect();
    sql.push(&sums.join(", ")).push(" FROM ");
    match slice {
        Some(slice) => of_slice(&mut sql, tx, query, slice),
        None if columns.contains(&"credential") => by_credential(&mut sql, tx, query),
        None => {
            sql.push("usage_daily");
            within(&mut sql, tx, query);
        }
    }
    query.only.narrow(&mut sql);
    if columns.is_empty() {
        sql.push(" HAVING count(*) > 0");
    } else {
        if let Some(GroupKey(after)) = query.after.as_ref().filter(|after| query.has_key(after)) {
            beyond(&mut sql, &columns, false);
            sql.list(after.iter().zip(&columns).map(|(value, column)| bound(value, column))).push(")");
        }
        let columns = columns.join(", ");
        sql.push(" GROUP BY ").push(&columns).push(" ORDER BY ").push(&columns);
    }
    sql.push(" LIMIT ").bind(limit(query.groups.min(MAX_GROUPS) + 1));
    let rows = sql.rows::<Row>(tx).await?;
    Ok(paged(rows, query))
}

impl ReportQuery {
    /// Returns the place of a group in the report that it is of.
    #[must_use]
    pub fn key_of(&self, group: &UsageGroup) -> GroupKey {
        let name = |name: Option<&str>| GroupValue::Name(name.unwrap_or_default().to_owned());
        let value = |column| match column {
            "start_ms" | "day" => {
                let day = || Timestamp::parse(&format!("{}T00:00:00Z", group.day.as_deref().unwrap_or_default()));
                GroupValue::Start(group.hour.or_else(day).unwrap_or(Timestamp::from_ms(0)))
            }
            "project_id" => GroupValue::Id(group.project_id.map_or(Uuid::nil(), ProjectId::uuid)),
            "integration_id" => GroupValue::Id(group.integration_id.map_or(Uuid::nil(), IntegrationId::uuid)),
            "virtual_key_id" => GroupValue::Id(group.virtual_key_id.map_or(Uuid::nil(), VirtualKeyId::uuid)),
            "credential" => name(group.credential.map(CredentialSource::name)),
            "provider" => name(group.provider.as_deref()),
            _ => name(group.model.as_deref()),
        };
        GroupKey(columns(self, slice(self)).into_iter().map(value).collect())
    }

    /// Returns `true` if this is the place of a group in the report.
    #[must_use]
    pub fn has_key(&self, GroupKey(values): &GroupKey) -> bool {
        let columns = columns(self, slice(self));
        let fits = |(value, column): (&GroupValue, &&str)| match value {
            GroupValue::Start(_) => matches!(*column, "start_ms" | "day"),
            GroupValue::Id(_) => column.ends_with("_id"),
            GroupValue::Name(_) => matches!(*column, "credential" | "provider" | "model"),
        };
        !columns.is_empty() && values.len() == columns.len() && values.iter().zip(&columns).all(fits)
    }
}

/// Returns the slice that is read; `None` for the daily sums, which alone have every column by day.
fn slice(query: &ReportQuery) -> Option<Slice> {
    let by = |by| query.group_by.contains(&by);
    let integration = by(GroupBy::Integration) || query.only.integration_id.is_some();
    let key = by(GroupBy::VirtualKey) || query.only.virtual_key_id.is_some();
    if by(GroupBy::Hour) {
        return Some(Slice::of_hours(integration, key));
    }
    Slice::of_days(integration, key, by(GroupBy::Model))
}

fn columns(query: &ReportQuery, slice: Option<Slice>) -> Vec<&'static str> {
    let asked = COLUMNS.into_iter().filter(|(by, _)| query.group_by.contains(by));
    let mut columns: Vec<_> =
        asked.map(|(_, column)| if column == "start_ms" && slice.is_none() { "day" } else { column }).collect();
    columns.dedup();
    columns
}

/// Returns the last moment of a report: what begins by then is part of it.
pub(super) const fn last_moment(query: &ReportQuery) -> Timestamp {
    Timestamp::from_ms(query.to.ms().saturating_sub(1))
}

fn of_slice(sql: &mut Sql, tx: &TenantTx, query: &ReportQuery, slice: Slice) {
    sql.push("usage_rollups WHERE tenant_id = ").bind(tx.tenant_id().uuid()).push(" AND slice = ");
    sql.bind(slice.name()).push(" AND start_ms >= ").bind(slice.start(query.from).ms());
    sql.push(" AND start_ms <= ").bind(last_moment(query).ms());
}

/// Reads the daily sums with the source of the secret, which they hold only in part: calls with the operator's key and
/// calls that were refused before a secret was chosen share a row where the model is unknown.
fn by_credential(sql: &mut Sql, tx: &TenantTx, query: &ReportQuery) {
    let names = "day, project_id, integration_id, virtual_key_id, provider, model";
    let counts = COUNTS[..4].join(", ");
    let figures = FIGURES.join(", ");
    let nobody = ServedBy::NoIntegration.uuid();
    sql.push("(SELECT ").push(names).push(", ").push(&counts).push(", ").push(&figures);
    sql.push(", CASE WHEN integration_id <> ").bind(nobody).push(" THEN 'own' ELSE 'fallback' END AS credential, ");
    sql.push("CASE WHEN integration_id <> ").bind(nobody).push(" THEN refused_requests ELSE 0 END AS refused_requests");
    sql.push(" FROM usage_daily");
    within(sql, tx, query);
    sql.push(" AND (integration_id <> ").bind(nobody).push(" OR requests > 0) UNION ALL SELECT ").push(names);
    sql.push(", 0, 0, 0, 0, ").push(&FIGURES.map(|_| "CAST(NULL AS BIGINT)").join(", "));
    sql.push(", '', refused_requests FROM usage_daily");
    within(sql, tx, query);
    sql.push(" AND integration_id = ").bind(nobody).push(" AND refused_requests > 0) AS parts WHERE 1 = 1");
}

fn bound(value: &GroupValue, column: &str) -> Value {
    match value {
        GroupValue::Start(start) if column == "day" => start.day().into(),
        GroupValue::Start(start) => start.ms().into(),
        GroupValue::Id(id) => (*id).into(),
        GroupValue::Name(name) => name.as_str().into(),
    }
}
