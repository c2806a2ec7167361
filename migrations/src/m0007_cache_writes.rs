//! Tokens written to a provider's cache, in both ledgers: providers charge more for them than for other input.

use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, prelude::Table, sea_orm::DbErr};

use crate::table::number_null;

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0007_cache_writes"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["metered_calls", "usage_daily", "reported_usage"] {
            // One column a statement: SQLite takes no more.
            for column in ["cache_write_tokens", "cache_write_1h_tokens"] {
                let mut alter = Table::alter();
                manager.alter_table(alter.table(table).add_column(number_null(column)).take()).await?;
            }
        }
        Ok(())
    }
}
