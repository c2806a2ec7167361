//! A ledger of many calls, as a build without rollups would have left it: a few integrations make most of the calls, and
//! most integrations a few.

use anyhow::Result;
use keyway_domain::{TenantId, Timestamp};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, Statement};
use uuid::Uuid;

#[path = "../../tests/it/before_reads.rs"]
mod before_reads;

pub(crate) const DAY_MS: i64 = 86_400_000;
pub(crate) const INTEGRATIONS: i64 = 100_000;
/// Integration with the most calls, and one with few.
pub(crate) const OFTEN: i64 = 0;
pub(crate) const RARE: i64 = INTEGRATIONS - 5;
/// A virtual key with few calls.
pub(crate) const RARE_KEY: i64 = KEYS - 5;
/// Model of the oldest call alone.
pub(crate) const RARE_MODEL: &str = "rare";

const KEYS: i64 = 5_000;
const DAYS: i64 = 60;
/// Keys that an organisation reports on.
const REPORTED: i64 = 2_000;
const SLICE: i64 = 1_000_000;

/// Returns the end of what is measured: that of the present day.
pub(crate) fn end() -> Timestamp {
    Timestamp::from_ms((Timestamp::now().ms() / DAY_MS + 1) * DAY_MS)
}

/// Returns the id with this number, as [`fill`] makes it.
pub(crate) fn uuid(kind: &str, number: i64) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{kind}{number}").as_bytes())
}

/// Fills the ledger, its daily sums and what providers report, and takes the rollups back.
pub(crate) async fn fill(owner: &DatabaseConnection, tenant_id: TenantId, calls: i64) -> Result<()> {
    for statement in before_reads::TAKE_BACK {
        owner.execute_unprepared(statement).await?;
    }
    for (kind, count) in [("i", INTEGRATIONS), ("k", KEYS), ("p", 20)] {
        owner.execute_unprepared(&format!("CREATE TABLE bench_{kind} (n BIGINT PRIMARY KEY, id UUID)")).await?;
        for from in (0..count).step_by(10_000) {
            let row = |number: i64| format!("({number}, '{}')", uuid(kind, number));
            let rows: Vec<_> = (from..count.min(from + 10_000)).map(row).collect();
            owner.execute_unprepared(&format!("INSERT INTO bench_{kind} VALUES {}", rows.join(", "))).await?;
        }
    }
    let (tenant, from_ms) = (tenant_id.uuid(), end().ms() - DAYS * DAY_MS);
    for from in (0..=(calls - 1) / SLICE).map(|slice| slice * SLICE) {
        let to = calls.min(from + SLICE);
        let step_ms = (Timestamp::now().ms() - from_ms) / calls;
        owner
            .execute_unprepared(&format!(
                "INSERT INTO metered_calls (request_id, tenant_id, project_id, virtual_key_id, integration_id, provider, \
                 model, path, http_status, input_tokens, cached_input_tokens, output_tokens, cost_nano_usd, price_version, \
                 started_at_ms, duration_ms, streamed, complete) SELECT gen_random_uuid(), '{tenant}', p.id, k.id, i.id, \
                 'provider' || at % 6, CASE WHEN at = 0 THEN '{RARE_MODEL}' ELSE 'model' || (at / 6) % 30 END, \
                 '/v1/chat/completions', CASE WHEN at % 50 = 0 THEN 429 ELSE 200 END, at % 4000, at % 100, at % 700, \
                 CASE WHEN at % 40 > 0 THEN at % 90000 END, '1', {from_ms} + at * {step_ms}, at % 9000, true, true \
                 FROM (SELECT at, CAST(floor({INTEGRATIONS} * power(random(), 3)) AS BIGINT) AS i_n, \
                 CAST(floor({KEYS} * power(random(), 2)) AS BIGINT) AS k_n FROM generate_series(CAST({from} AS BIGINT), {to} - 1) AS at) \
                 AS calls JOIN bench_i AS i ON i.n = calls.i_n JOIN bench_k AS k ON k.n = calls.k_n JOIN bench_p AS p \
                 ON p.n = calls.k_n % 20"
            ))
            .await?;
    }
    owner
        .execute_unprepared(
            "INSERT INTO usage_daily (tenant_id, day, project_id, integration_id, virtual_key_id, provider, model, \
             requests, failed_requests, unknown_token_requests, unpriced_requests, input_tokens, cached_input_tokens, \
             output_tokens, cost_nano_usd) SELECT tenant_id, to_char(to_timestamp(started_at_ms / 1000) AT TIME ZONE \
             'UTC', 'YYYY-MM-DD'), project_id, integration_id, virtual_key_id, provider, model, count(*), \
             count(*) FILTER (WHERE http_status >= 400), 0, count(*) FILTER (WHERE cost_nano_usd IS NULL), \
             sum(input_tokens), sum(cached_input_tokens), sum(output_tokens), sum(cost_nano_usd) FROM metered_calls \
             GROUP BY 1, 2, 3, 4, 5, 6, 7",
        )
        .await?;
    let reported = "INSERT INTO key_usage (tenant_id, integration_id, source, bucket_start_ms, bucket_end_ms, model, day, \
                    requests, input_tokens, output_tokens, fetched_at_ms) SELECT $1, i.id, 'usage', ms, ms + $2, 'model', \
                    to_char(to_timestamp(ms / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD'), 5, 5000, 900, ms FROM bench_i AS i, \
                    generate_series($3, $4, $2) AS ms WHERE i.n < $5";
    let values = [tenant.into(), DAY_MS.into(), from_ms.into(), (end().ms() - 1).into(), REPORTED.into()];
    owner.execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, reported, values)).await?;
    Ok(())
}
