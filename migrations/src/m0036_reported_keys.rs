//! An index of the integrations whose key the provider names by an id of its own: figures are fetched by it.

use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, sea_orm::DbErr};

use crate::table::indexes;

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0036_reported_keys"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let reported =
            "integrations_reported ON integrations (tenant_id, provider, id) WHERE config LIKE '%provider_key_id%'";
        indexes(manager, &[reported]).await
    }
}
