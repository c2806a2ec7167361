//! Indexes for sorting large lists of integrations by name and by status; the latter also serves filters and counts.

use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, sea_orm::DbErr};

use crate::table::indexes;

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0021_list_orders"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let orders = [
            "integrations_by_name ON integrations (tenant_id, lower(name), id)",
            "integrations_by_status ON integrations (tenant_id, status, id)",
        ];
        indexes(manager, &orders).await
    }
}
