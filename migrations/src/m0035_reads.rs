//! Rollups of the metered ledger by hour and by day, and indexes for what is read of large ledgers.
//!
//! `usage_daily` stays and is written as before: it is the finest rollup by day, and builds before this one read it. What
//! such a build appends while an upgrade is rolled out or back is not rolled up by it: those calls keep `rolled_up =
//! false`, and a schedule makes up for them.

mod backfill;

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager,
    prelude::Table,
    sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement},
};

use crate::{
    protect::Access,
    table::{NewTable, create, flag, indexes, number, number_null, text, to_tenant, uuid},
};

/// Patience with readers of the ledger at the end, after the rollups are filled.
const LAST_LOCK_WAIT: &str = "15s";

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0035_reads"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let is_postgres = manager.get_database_backend() == DbBackend::Postgres;
        for table in [usage_rollups(), call_durations()] {
            create(manager, table).await?;
        }
        if is_postgres {
            // Nobody appends until the rollups hold what is there; who reads is let past.
            db.execute_unprepared("LOCK TABLE metered_calls IN SHARE ROW EXCLUSIVE MODE").await?;
        }
        backfill::fill(manager).await?;
        indexes(
            manager,
            &[
                "usage_rollups_integrations ON usage_rollups (tenant_id, slice, integration_id, start_ms)",
                "usage_rollups_keys ON usage_rollups (tenant_id, slice, virtual_key_id, start_ms)",
                "usage_rollups_hours ON usage_rollups (start_ms) WHERE slice IN ('hour', 'hour_total')",
                "usage_daily_integrations ON usage_daily (tenant_id, integration_id, day)",
                "usage_daily_keys ON usage_daily (tenant_id, virtual_key_id, day)",
                "metered_calls_integrations ON metered_calls (tenant_id, integration_id, started_at_ms, request_id)",
                "metered_calls_keys ON metered_calls (tenant_id, virtual_key_id, started_at_ms, request_id)",
                "key_usage_lines ON key_usage (tenant_id, day, integration_id)",
                "operations_newest ON operations (tenant_id, created_at_ms, id)",
            ],
        )
        .await?;
        let wait = if is_postgres { Some(lock_wait(manager).await?) } else { None };
        if wait.is_some() {
            set_lock_wait(manager, LAST_LOCK_WAIT).await?;
        }
        let mut ledger = Table::alter();
        let mut rolled_up = flag("rolled_up");
        manager.alter_table(ledger.table("metered_calls").add_column(rolled_up.default(is_postgres)).take()).await?;
        // What is there is rolled up, and what does not say so later is not.
        let stored = if is_postgres {
            "ALTER TABLE metered_calls ALTER COLUMN rolled_up SET DEFAULT false"
        } else {
            "UPDATE metered_calls SET rolled_up = true"
        };
        db.execute_unprepared(stored).await?;
        indexes(manager, &["metered_calls_left ON metered_calls (request_id) WHERE NOT rolled_up"]).await?;
        // Later migrations of the same transaction wait as long as they always do.
        if let Some(wait) = wait { set_lock_wait(manager, &wait).await } else { Ok(()) }
    }
}

async fn lock_wait(manager: &SchemaManager<'_>) -> Result<String, DbErr> {
    let question = Statement::from_string(DbBackend::Postgres, "SELECT current_setting('lock_timeout') AS wait");
    let row = manager.get_connection().query_one_raw(question).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("no answer".to_owned()))?.try_get("", "wait")
}

async fn set_lock_wait(manager: &SchemaManager<'_>, wait: &str) -> Result<(), DbErr> {
    let statement = format!("SET LOCAL lock_timeout = '{wait}'");
    manager.get_connection().execute_unprepared(&statement).await.map(drop)
}

/// Defines the rollups. Each slice splits the same calls by other columns; a column that a slice does not split by is nil
/// or empty.
fn usage_rollups() -> NewTable {
    let figures = [
        "input_tokens",
        "cached_input_tokens",
        "cache_write_tokens",
        "cache_write_1h_tokens",
        "output_tokens",
        "reasoning_tokens",
        "cost_nano_usd",
    ];
    let counts = [
        "requests",
        "failed_requests",
        "unknown_token_requests",
        "unpriced_requests",
        "refused_requests",
        "unknown_answered_requests",
    ];
    let mut columns = vec![
        uuid("tenant_id"),
        text("slice"),
        number("start_ms"),
        uuid("project_id"),
        uuid("integration_id"),
        uuid("virtual_key_id"),
        text("provider"),
        text("model"),
        text("credential"),
    ];
    columns.extend(counts.map(number));
    columns.extend(figures.map(number_null));
    NewTable {
        name: "usage_rollups",
        columns,
        key: &[
            "tenant_id",
            "slice",
            "start_ms",
            "project_id",
            "integration_id",
            "virtual_key_id",
            "provider",
            "model",
            "credential",
        ],
        references: vec![to_tenant("usage_rollups")],
        access: Access::WRITTEN_BY_SYSTEM,
    }
}

/// Defines the histogram of how long calls took, by UTC day.
fn call_durations() -> NewTable {
    NewTable {
        name: "call_durations",
        columns: vec![
            uuid("tenant_id"),
            number("start_ms"),
            uuid("project_id"),
            text("provider"),
            number("bucket_ms"),
            number("calls"),
        ],
        key: &["tenant_id", "start_ms", "project_id", "provider", "bucket_ms"],
        references: vec![to_tenant("call_durations")],
        access: Access::WRITTEN_BY_SYSTEM,
    }
}
