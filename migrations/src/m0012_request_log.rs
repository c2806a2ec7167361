//! Columns that the request log shows of a metered call, and the index that lists a tenant's calls by time.

use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, prelude::Table, sea_orm::DbErr};

use crate::table::{flag, indexes, number_null, small};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0012_request_log"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut overhead = number_null("overhead_us");
        // One column a statement: SQLite takes no more.
        for column in
            [&mut overhead, small("attempts").default(1), flag("cached").default(false), flag("settled").default(false)]
        {
            manager.alter_table(Table::alter().table("metered_calls").add_column(column).take()).await?;
        }
        indexes(manager, &["metered_calls_log ON metered_calls (tenant_id, started_at_ms, request_id)"]).await
    }
}
