//! Limits on all calls of a tenant to one provider, a free note beside each integration, and display names of models.

use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, prelude::Table, sea_orm::DbErr};

use crate::{
    protect::Access,
    table::{NewTable, create, id, indexes, number_null, small, text, text_null, to_tenant, uuid},
};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0019_provider_limits"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, provider_limits()).await?;
        indexes(manager, &["UNIQUE provider_limits_provider ON provider_limits (tenant_id, provider)"]).await?;
        let (mut meta, mut display_name) = (text("meta"), text_null("display_name"));
        let columns = [("integrations", meta.default("{}")), ("provider_models", &mut display_name)];
        for (table, column) in columns {
            manager.alter_table(Table::alter().table(table).add_column(column).take()).await?;
        }
        Ok(())
    }
}

/// Defines one row per provider with a tenant's own limits, whether the catalog's or the tenant's. Its id is the scope
/// of the limits.
fn provider_limits() -> NewTable {
    NewTable {
        name: "provider_limits",
        columns: vec![
            id("id"),
            uuid("tenant_id"),
            text("provider"),
            number_null("requests_per_minute"),
            number_null("tokens_per_minute"),
            number_null("daily_budget_nano_usd"),
            number_null("monthly_budget_nano_usd"),
            small("version"),
        ],
        key: &[],
        references: vec![to_tenant("provider_limits")],
        access: Access::SHARED,
    }
}
