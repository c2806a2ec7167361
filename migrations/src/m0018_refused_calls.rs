//! Calls that Keyway itself refused: their code in the request log, and a count of their own in the daily sums.

use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, prelude::Table, sea_orm::DbErr};

use crate::table::{number, text_null};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0018_refused_calls"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut calls = Table::alter();
        manager.alter_table(calls.table("metered_calls").add_column(text_null("refused_code")).take()).await?;
        let mut days = Table::alter();
        let mut refused = number("refused_requests");
        manager.alter_table(days.table("usage_daily").add_column(refused.default(0)).take()).await
    }
}
