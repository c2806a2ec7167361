//! The virtual key that a service calls providers as, and the way from a token to its service, which the proxy goes.

use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, prelude::Table, sea_orm::DbErr};

use crate::table::{indexes, uuid_null};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0034_service_keys"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut alter = Table::alter();
        manager.alter_table(alter.table("services").add_column(uuid_null("virtual_key_id")).take()).await?;
        indexes(manager, &["services_token ON services (token_sha256)"]).await
    }
}
