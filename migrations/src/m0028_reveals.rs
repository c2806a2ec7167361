//! The reveals of the last minute, by who asked for them, where every replica counts them.

use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, sea_orm::DbErr};

use crate::{
    protect::Access,
    table::{NewTable, create, id, indexes, number, text, to_tenant, uuid},
};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0028_reveals"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, reveals()).await?;
        indexes(manager, &["reveals_recent ON reveals (tenant_id, principal, revealed_at_ms)"]).await
    }
}

/// A count, and no log: what was revealed to whom and why stands in the audit log.
fn reveals() -> NewTable {
    NewTable {
        name: "reveals",
        columns: vec![id("id"), uuid("tenant_id"), text("principal"), number("revealed_at_ms")],
        key: &[],
        references: vec![to_tenant("reveals")],
        access: Access::SHARED,
    }
}
