//! Priority and weight: the order in which a project's integrations of one provider are tried, and their share of
//! calls.

use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, prelude::Table, sea_orm::DbErr};

use crate::table::small;

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0014_routing"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One by one: SQLite adds one column at a time.
        for column in [small("priority").default(0), small("weight").default(1)] {
            manager.alter_table(Table::alter().table("integrations").add_column(column).take()).await?;
        }
        Ok(())
    }
}
