//! Fills the rollups from what is stored: days from the daily sums, tenant by tenant, as they outlive the calls; hours and
//! durations from the calls, one UTC day at a time.

use std::time::{SystemTime, UNIX_EPOCH};

use sea_orm_migration::{
    SchemaManager,
    sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement},
};

const DAY_MS: i64 = 86_400_000;
/// Days for which hours are kept.
const HOURS_KEPT_DAYS: i64 = 14;
/// Upper bounds of the histogram's buckets; the last one also takes what is longer.
const BOUNDS_MS: [i64; 28] = [
    5, 10, 20, 35, 50, 75, 100, 150, 200, 300, 500, 750, 1_000, 1_500, 2_000, 3_000, 5_000, 7_500, 10_000, 15_000,
    20_000, 30_000, 45_000, 60_000, 120_000, 300_000, 600_000, 3_600_000,
];

const COUNTS: [&str; 6] = [
    "requests",
    "failed_requests",
    "unknown_token_requests",
    "unpriced_requests",
    "refused_requests",
    "unknown_answered_requests",
];
const FIGURES: [&str; 7] = [
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_nano_usd",
];

/// A slice: its name, and whether it is split by integration, virtual key and model.
type Slice = (&'static str, bool, bool, bool);

const DAYS: [Slice; 3] =
    [("day_integration", true, false, false), ("day_key", false, true, false), ("day_total", false, false, true)];
const HOURS: [Slice; 2] = [("hour", true, true, true), ("hour_total", false, false, true)];

/// Fills both tables. Nobody may append calls meanwhile.
pub(super) async fn fill(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let sql = Dialect { is_postgres: manager.get_database_backend() == DbBackend::Postgres };
    let db = manager.get_connection();
    let mut tenant = String::new();
    while let Some(next) = sql.next_tenant(manager, &tenant).await? {
        tenant = next;
        for slice in DAYS {
            db.execute_unprepared(&sql.days(slice, &tenant)).await?;
        }
    }
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let hours_from_ms = i64::try_from(now_ms).unwrap_or(i64::MAX) / DAY_MS * DAY_MS - HOURS_KEPT_DAYS * DAY_MS;
    let mut from_ms = i64::MIN;
    while let Some(first_ms) = next_call(manager, from_ms).await? {
        let day_ms = first_ms.div_euclid(DAY_MS).saturating_mul(DAY_MS);
        db.execute_unprepared(&Dialect::durations(day_ms)).await?;
        if day_ms >= hours_from_ms {
            for slice in HOURS {
                db.execute_unprepared(&sql.hours(slice, day_ms)).await?;
            }
        }
        from_ms = day_ms.saturating_add(DAY_MS);
    }
    Ok(())
}

async fn next_call(manager: &SchemaManager<'_>, from_ms: i64) -> Result<Option<i64>, DbErr> {
    let text = format!("SELECT min(started_at_ms) AS first FROM metered_calls WHERE started_at_ms >= {from_ms}");
    let statement = Statement::from_string(manager.get_database_backend(), text);
    match manager.get_connection().query_one_raw(statement).await? {
        Some(row) => row.try_get("", "first"),
        None => Ok(None),
    }
}

/// Literals and expressions of one of the two databases.
struct Dialect {
    is_postgres: bool,
}

impl Dialect {
    /// Returns the tenant after `after` that has daily sums, as a literal.
    async fn next_tenant(&self, manager: &SchemaManager<'_>, after: &str) -> Result<Option<String>, DbErr> {
        let beyond = if after.is_empty() { String::new() } else { format!("WHERE tenant_id > {after}") };
        let text = if self.is_postgres { "CAST(tenant_id AS TEXT)" } else { "hex(tenant_id)" };
        let text = format!("SELECT {text} AS id FROM usage_daily {beyond} ORDER BY tenant_id LIMIT 1");
        let statement = Statement::from_string(manager.get_database_backend(), text);
        let Some(row) = manager.get_connection().query_one_raw(statement).await? else { return Ok(None) };
        let id: String = row.try_get("", "id")?;
        Ok(Some(if self.is_postgres { format!("CAST('{id}' AS UUID)") } else { format!("x'{id}'") }))
    }

    const fn nil(&self) -> &'static str {
        if self.is_postgres {
            "CAST('00000000-0000-0000-0000-000000000000' AS UUID)"
        } else {
            "x'00000000000000000000000000000000'"
        }
    }

    /// Returns the statement that sums `parts` into a slice.
    fn sum(&self, (slice, integration, key, model): Slice, parts: &str) -> String {
        let dimension = |is_split: bool, column: &str, none: &str| {
            if is_split { column.to_owned() } else { none.to_owned() }
        };
        let columns = [
            "tenant_id".to_owned(),
            format!("'{slice}'"),
            "start_ms".to_owned(),
            "project_id".to_owned(),
            dimension(integration, "integration_id", self.nil()),
            dimension(key, "virtual_key_id", self.nil()),
            "provider".to_owned(),
            dimension(model, "model", "''"),
            "credential".to_owned(),
        ];
        let sums = COUNTS.into_iter().chain(FIGURES).map(|column| format!("CAST(sum({column}) AS BIGINT)"));
        let columns: Vec<_> = columns.into_iter().chain(sums).collect();
        let mut groups = vec!["tenant_id", "start_ms", "project_id", "provider", "credential"];
        groups.extend(
            [(integration, "integration_id"), (key, "virtual_key_id"), (model, "model")]
                .into_iter()
                .filter_map(|(is_split, column)| is_split.then_some(column)),
        );
        format!(
            "INSERT INTO usage_rollups (tenant_id, slice, start_ms, project_id, integration_id, virtual_key_id, \
             provider, model, credential, {}, {}) SELECT {} FROM ({parts}) AS parts GROUP BY {}",
            COUNTS.join(", "),
            FIGURES.join(", "),
            columns.join(", "),
            groups.join(", ")
        )
    }

    fn days(&self, slice: Slice, tenant: &str) -> String {
        let nil = self.nil();
        let start = if self.is_postgres {
            "CAST(EXTRACT(EPOCH FROM CAST(day AS TIMESTAMP)) * 1000 AS BIGINT)"
        } else {
            "CAST(strftime('%s', day) AS INTEGER) * 1000"
        };
        let names =
            format!("tenant_id, {start} AS start_ms, project_id, integration_id, virtual_key_id, provider, model");
        let asked = "requests, failed_requests, unknown_token_requests, unpriced_requests";
        let answered = "CASE WHEN unknown_token_requests > failed_requests THEN unknown_token_requests - failed_requests \
                        ELSE 0 END AS unknown_answered_requests";
        let none = FIGURES.map(|column| format!("CAST(NULL AS BIGINT) AS {column}")).join(", ");
        // Calls with the operator's key and calls that nobody's key served share a row.
        let parts = format!(
            "SELECT {names}, CASE WHEN integration_id <> {nil} THEN 'own' ELSE 'fallback' END AS credential, {asked}, \
             CASE WHEN integration_id <> {nil} THEN refused_requests ELSE 0 END AS refused_requests, {answered}, {} \
             FROM usage_daily WHERE tenant_id = {tenant} AND (integration_id <> {nil} OR requests > 0) \
             UNION ALL SELECT {names}, '' AS credential, 0, 0, 0, 0, refused_requests, 0, {none} FROM usage_daily \
             WHERE tenant_id = {tenant} AND integration_id = {nil} AND refused_requests > 0",
            FIGURES.join(", ")
        );
        self.sum(slice, &parts)
    }

    fn hours(&self, slice: Slice, day_ms: i64) -> String {
        let nil = self.nil();
        let served = "refused_code IS NULL";
        let unknown = "(input_tokens IS NULL OR output_tokens IS NULL)";
        let failed = "(http_status IS NULL OR http_status >= 400)";
        let count = |condition: &str, name: &str| format!("CASE WHEN {condition} THEN 1 ELSE 0 END AS {name}");
        let counts = [
            count(served, "requests"),
            count(&format!("{served} AND {failed}"), "failed_requests"),
            count(&format!("{served} AND {unknown}"), "unknown_token_requests"),
            count(&format!("{served} AND cost_nano_usd IS NULL"), "unpriced_requests"),
            count("refused_code IS NOT NULL", "refused_requests"),
            count(&format!("{served} AND {unknown} AND NOT {failed}"), "unknown_answered_requests"),
        ];
        let figures = FIGURES.map(|column| format!("CASE WHEN {served} THEN {column} END AS {column}"));
        let parts = format!(
            "SELECT tenant_id, started_at_ms - started_at_ms % 3600000 AS start_ms, project_id, integration_id, \
             virtual_key_id, provider, CASE WHEN {served} THEN COALESCE(model, '') ELSE '' END AS model, \
             CASE WHEN integration_id <> {nil} THEN 'own' WHEN {served} THEN 'fallback' ELSE '' END AS credential, \
             {}, {} FROM metered_calls WHERE {}",
            counts.join(", "),
            figures.join(", "),
            of_day(day_ms)
        );
        self.sum(slice, &parts)
    }

    fn durations(day_ms: i64) -> String {
        let (last, others) = BOUNDS_MS.split_last().unwrap_or((&0, &[]));
        let cases: String = others.iter().map(|bound| format!("WHEN duration_ms <= {bound} THEN {bound} ")).collect();
        format!(
            "INSERT INTO call_durations (tenant_id, start_ms, project_id, provider, bucket_ms, calls) \
             SELECT tenant_id, {day_ms}, project_id, provider, bucket_ms, count(*) FROM (SELECT tenant_id, project_id, \
             provider, CASE {cases}ELSE {last} END AS bucket_ms FROM metered_calls WHERE {} AND refused_code IS NULL \
             AND NOT settled) AS calls GROUP BY tenant_id, project_id, provider, bucket_ms",
            of_day(day_ms)
        )
    }
}

fn of_day(day_ms: i64) -> String {
    format!("started_at_ms >= {day_ms} AND started_at_ms < {}", day_ms.saturating_add(DAY_MS))
}
