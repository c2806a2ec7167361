//! The latest expiry warning given for each secret, and the index that finds the warnings that are due.

use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, prelude::Table, sea_orm::DbErr};

use crate::table::{indexes, number_null};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0009_expiry_warnings"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut alter = Table::alter();
        let alter = alter.table("integrations").add_column(number_null("expiry_warned_at_ms")).take();
        manager.alter_table(alter).await?;
        indexes(manager, &["integrations_expiry ON integrations (expires_at_ms) WHERE expires_at_ms IS NOT NULL"]).await
    }
}
