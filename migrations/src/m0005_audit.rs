//! The audit log. Only the system role may append, neither may change or delete a line, and it outlives its tenant.

use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, sea_orm::DbErr};

use crate::{
    protect::Access,
    table::{NewTable, create, id, indexes, number, text, uuid, uuid_null},
};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0005_audit"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, audit_events()).await?;
        indexes(manager, &["audit_events_list ON audit_events (tenant_id, occurred_at_ms, event_id)"]).await
    }
}

fn audit_events() -> NewTable {
    NewTable {
        name: "audit_events",
        columns: vec![
            id("event_id"),
            uuid("tenant_id"),
            text("action"),
            text("actor_type"),
            text("actor"),
            text("target"),
            text("outcome"),
            number("occurred_at_ms"),
            uuid_null("request_id"),
            text("changes"),
        ],
        key: &[],
        references: vec![],
        access: Access::APPEND_ONLY,
    }
}
