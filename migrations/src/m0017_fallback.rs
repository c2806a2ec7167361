//! A project's consent to the operator's key, and the source of the secret that served each call.

use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, prelude::Table, sea_orm::DbErr};

use crate::table::{number_null, text};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0017_fallback"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut projects = Table::alter();
        projects.table("projects").add_column(number_null("fallback_budget_nano_usd"));
        manager.alter_table(projects).await?;
        let mut calls = Table::alter();
        calls.table("metered_calls").add_column(text("credential").default("own"));
        manager.alter_table(calls).await
    }
}
