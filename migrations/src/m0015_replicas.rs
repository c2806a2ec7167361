//! Replicas, which serve calls from memory, and their acknowledgements of revocations.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager,
    prelude::{ForeignKey, ForeignKeyAction},
    sea_orm::DbErr,
};

use crate::{
    protect::Access,
    table::{NewTable, create, id, indexes, number, number_null, to_tenant, uuid},
};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0015_replicas"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [replicas(), revocation_acks()] {
            create(manager, table).await?;
        }
        let pending = "operations_revocations ON operations (created_at_ms) \
                       WHERE kind = 'revoke' AND state IN ('queued', 'running')";
        indexes(manager, &[pending]).await
    }
}

/// Defines replicas. Each serves every tenant, so no row belongs to one.
fn replicas() -> NewTable {
    NewTable {
        name: "replicas",
        columns: vec![id("id"), number("started_at_ms"), number("seen_at_ms")],
        key: &[],
        references: vec![],
        access: Access::SYSTEM_ONLY,
    }
}

fn revocation_acks() -> NewTable {
    let mut to_operation = ForeignKey::create();
    let to_operation = to_operation.from("revocation_acks", "operation_id").to("operations", "id");
    let to_operation = to_operation.on_delete(ForeignKeyAction::Cascade).to_owned();
    NewTable {
        name: "revocation_acks",
        columns: vec![uuid("operation_id"), uuid("replica_id"), uuid("tenant_id"), number_null("acked_at_ms")],
        key: &["operation_id", "replica_id"],
        references: vec![to_tenant("revocation_acks"), to_operation],
        access: Access::WRITTEN_BY_SYSTEM,
    }
}
