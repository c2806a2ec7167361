//! Usage that organisations report by key, and the days on which a key was used outside Keyway.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, prelude::ForeignKeyAction::Cascade, sea_orm::DbErr,
};

use crate::{
    protect::Access,
    table::{NewTable, create, indexes, number, number_null, same_tenant, text, to_tenant, uuid},
};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0010_key_usage"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [key_usage(), drift_alarms()] {
            create(manager, table).await?;
        }
        indexes(
            manager,
            &[
                "key_usage_day ON key_usage (day, tenant_id, integration_id)",
                "drift_alarms_raised ON drift_alarms (raised_at_ms)",
            ],
        )
        .await
    }
}

/// Defines usage by key. Without a reference to the integration: its usage outlives it.
fn key_usage() -> NewTable {
    NewTable {
        name: "key_usage",
        columns: vec![
            uuid("tenant_id"),
            uuid("integration_id"),
            text("source"),
            number("bucket_start_ms"),
            number("bucket_end_ms"),
            text("model"),
            text("day"),
            number_null("requests"),
            number_null("input_tokens"),
            number_null("output_tokens"),
            number("fetched_at_ms"),
        ],
        key: &["tenant_id", "integration_id", "source", "bucket_start_ms", "bucket_end_ms", "model"],
        references: vec![to_tenant("key_usage")],
        access: Access::SHARED,
    }
}

fn drift_alarms() -> NewTable {
    NewTable {
        name: "drift_alarms",
        columns: vec![uuid("tenant_id"), uuid("integration_id"), text("day"), number("raised_at_ms")],
        key: &["tenant_id", "integration_id", "day"],
        references: vec![same_tenant("drift_alarms", "integration_id", "integrations", Cascade)],
        access: Access::WRITTEN_BY_SYSTEM,
    }
}
