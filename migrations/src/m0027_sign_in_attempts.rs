//! How often in a row somebody was wrong at the door, by account and by network address, where every replica sees it.

use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, sea_orm::DbErr};

use crate::{
    protect::Access,
    table::{NewTable, create, indexes, number, small, text},
};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0027_sign_in_attempts"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, sign_in_attempts()).await?;
        indexes(manager, &["sign_in_attempts_age ON sign_in_attempts (last_at_ms)"]).await
    }
}

/// The subject need not exist: what is counted must not tell which accounts there are.
fn sign_in_attempts() -> NewTable {
    NewTable {
        name: "sign_in_attempts",
        columns: vec![text("subject"), small("attempts"), number("last_at_ms"), number("next_at_ms")],
        key: &["subject"],
        references: vec![],
        access: Access::SYSTEM_ONLY,
    }
}
