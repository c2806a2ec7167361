//! Warnings that were given of budgets: each share of each window once.

use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, sea_orm::DbErr};

use crate::{
    protect::Access,
    table::{NewTable, create, indexes, number, small, text, to_tenant, uuid},
};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0033_budget_warnings"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, budget_warnings()).await?;
        indexes(manager, &["budget_warnings_end ON budget_warnings (window_start_ms)"]).await
    }
}

fn budget_warnings() -> NewTable {
    NewTable {
        name: "budget_warnings",
        columns: vec![
            uuid("tenant_id"),
            uuid("scope_id"),
            text("measure"),
            number("window_start_ms"),
            small("percent"),
            number("warned_at_ms"),
        ],
        key: &["tenant_id", "scope_id", "measure", "window_start_ms", "percent"],
        references: vec![to_tenant("budget_warnings")],
        access: Access::SHARED,
    }
}
