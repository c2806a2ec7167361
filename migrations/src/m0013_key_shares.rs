//! The reporting credential and all kinds of tokens of usage by key, so that a key's figures can be subtracted from the
//! whole report and counted for the key's integration.

use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, prelude::Table, sea_orm::DbErr};

use crate::table::{number_null, text_null, uuid_null};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0013_key_shares"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = [
            uuid_null("reported_by"),
            uuid_null("project_id"),
            text_null("provider"),
            number_null("cached_input_tokens"),
            number_null("cache_write_tokens"),
            number_null("cache_write_1h_tokens"),
        ];
        // One column a statement: SQLite takes no more.
        for column in columns {
            manager.alter_table(Table::alter().table("key_usage").add_column(column).take()).await?;
        }
        Ok(())
    }
}
