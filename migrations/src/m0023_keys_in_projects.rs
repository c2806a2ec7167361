//! One secret may serve several projects of a tenant, and a name is unique within project and provider: both unique
//! keys get more columns, so that every existing row fits.

use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, prelude::Index, sea_orm::DbErr};

use crate::table::indexes;

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0023_keys_in_projects"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let wider = [
            "UNIQUE integrations_names ON integrations (tenant_id, project_id, provider, name)",
            "UNIQUE integrations_fingerprints ON integrations (tenant_id, fingerprint_key_id, fingerprint, project_id)",
        ];
        indexes(manager, &wider).await?;
        for narrower in ["integrations_name", "integrations_fingerprint"] {
            manager.drop_index(Index::drop().name(narrower).table("integrations").to_owned()).await?;
        }
        Ok(())
    }
}
