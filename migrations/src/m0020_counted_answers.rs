//! Answers made in the background, each with the call that counts its usage.

use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, sea_orm::DbErr};

use crate::{
    protect::Access,
    table::{NewTable, create, indexes, number, text, to_tenant, uuid},
};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0020_counted_answers"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, counted_answers()).await?;
        indexes(manager, &["counted_answers_age ON counted_answers (counted_at_ms)"]).await
    }
}

/// Defines one row per answer that can be read repeatedly.
fn counted_answers() -> NewTable {
    NewTable {
        name: "counted_answers",
        columns: vec![
            uuid("tenant_id"),
            uuid("integration_id"),
            text("answer_id"),
            uuid("request_id"),
            number("counted_at_ms"),
        ],
        key: &["tenant_id", "integration_id", "answer_id"],
        references: vec![to_tenant("counted_answers")],
        access: Access::WRITTEN_BY_SYSTEM,
    }
}
