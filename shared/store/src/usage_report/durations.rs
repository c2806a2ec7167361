//! How long the calls of a report's groups took, from the histogram by day, project and provider. A report that is split
//! by anything else, or narrowed to it, says nothing of it.

use std::collections::HashMap;

use keyway_domain::{ProjectId, Timestamp, durations::quantile};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::{GroupBy, ReportQuery, UsageGroup, metered::last_moment, nothing};
use crate::{StoreError, TenantTx, slices::Slice, sql::Sql};

/// Columns of the histogram that a report can be split by.
const COLUMNS: [(GroupBy, &str); 3] =
    [(GroupBy::Day, "start_ms"), (GroupBy::Project, "project_id"), (GroupBy::Provider, "provider")];

#[derive(FromQueryResult)]
struct Bucket {
    start_ms: Option<i64>,
    project_id: Option<Uuid>,
    provider: Option<String>,
    bucket_ms: i64,
    calls: i64,
}

/// Day, project and provider of a group, as far as the report is split by them.
type Key = (Option<i64>, Option<Uuid>, Option<String>);

/// Adds the durations to the groups of a metered report.
pub(super) async fn add(tx: &TenantTx, query: &ReportQuery, groups: &mut [UsageGroup]) -> Result<(), StoreError> {
    let is_known = query.group_by.iter().all(|by| COLUMNS.iter().any(|(known, _)| known == by));
    let is_narrow = query.only.integration_id.is_some() || query.only.virtual_key_id.is_some();
    if !is_known || is_narrow || groups.is_empty() {
        return Ok(());
    }
    let mut found: HashMap<Key, Vec<(i64, i64)>> = HashMap::new();
    for bucket in buckets(tx, query).await? {
        let key = (bucket.start_ms, bucket.project_id, bucket.provider);
        found.entry(key).or_default().push((bucket.bucket_ms, bucket.calls));
    }
    for group in groups {
        if let Some(buckets) = found.get(&key(query, group)) {
            group.duration_p50_ms = quantile(buckets, 500);
            group.duration_p99_ms = quantile(buckets, 990);
        }
    }
    Ok(())
}

async fn buckets(tx: &TenantTx, query: &ReportQuery) -> Result<Vec<Bucket>, StoreError> {
    let mut groups = Vec::new();
    let mut sql = Sql::new("SELECT ");
    for (by, column) in COLUMNS {
        if query.group_by.contains(&by) {
            sql.push(column).push(", ");
            groups.push(column);
        } else if column == "start_ms" {
            sql.push("CAST(NULL AS BIGINT) AS start_ms, ");
        } else {
            sql.push(&nothing(tx, column)).push(", ");
        }
    }
    groups.push("bucket_ms");
    sql.push("bucket_ms, CAST(sum(calls) AS BIGINT) AS calls FROM call_durations WHERE tenant_id = ");
    sql.bind(tx.tenant_id().uuid()).push(" AND start_ms >= ").bind(Slice::DayTotal.start(query.from).ms());
    sql.push(" AND start_ms <= ").bind(last_moment(query).ms());
    query.only.narrow(&mut sql);
    sql.push(" GROUP BY ").push(&groups.join(", ")).push(" ORDER BY bucket_ms");
    sql.rows(tx).await
}

fn key(query: &ReportQuery, group: &UsageGroup) -> Key {
    let day = group.day.as_deref().and_then(|day| Timestamp::parse(&format!("{day}T00:00:00Z")));
    let by_provider = query.group_by.contains(&GroupBy::Provider);
    let provider = by_provider.then(|| group.provider.clone().unwrap_or_default());
    (day.map(Timestamp::ms), group.project_id.map(ProjectId::uuid), provider)
}
