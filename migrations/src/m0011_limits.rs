//! Limits of virtual keys, projects and integrations, and the leases that processes hold on them.

use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, prelude::Table, sea_orm::DbErr};

use crate::{
    protect::Access,
    table::{NewTable, create, number, number_null, text, to_tenant, uuid},
};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0011_limits"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["virtual_keys", "projects", "integrations"] {
            for limit in
                ["requests_per_minute", "tokens_per_minute", "daily_budget_nano_usd", "monthly_budget_nano_usd"]
            {
                // One at a time: SQLite adds no two columns in one statement.
                let alter = Table::alter().table(table).add_column(number_null(limit)).take();
                manager.alter_table(alter).await?;
            }
        }
        create(manager, limit_windows()).await
    }
}

/// Defines one row per scope and measure, whose window moves on. Without a reference to the scope, which is in one of
/// three tables; orphaned rows are deleted by age.
fn limit_windows() -> NewTable {
    NewTable {
        name: "limit_windows",
        columns: vec![
            uuid("tenant_id"),
            uuid("scope_id"),
            text("measure"),
            number("window_start_ms"),
            number("granted"),
            number("used"),
            number("changed_at_ms"),
        ],
        key: &["tenant_id", "scope_id", "measure"],
        references: vec![to_tenant("limit_windows")],
        access: Access::SHARED,
    }
}
