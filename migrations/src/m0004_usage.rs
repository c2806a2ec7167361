//! The two usage ledgers. Figures are nullable: unknown is never zero.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, prelude::ForeignKeyAction::Cascade, sea_orm::DbErr,
};

use crate::{
    protect::Access,
    table::{
        NewTable, create, flag, id, indexes, number, number_null, same_tenant, small_null, text, text_null, to_tenant,
        uuid,
    },
};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0004_usage"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [metered_calls(), usage_daily(), reported_usage(), usage_cursors()] {
            create(manager, table).await?;
        }
        indexes(
            manager,
            &[
                "metered_calls_age ON metered_calls (started_at_ms)",
                "reported_usage_day ON reported_usage (tenant_id, day)",
            ],
        )
        .await
    }
}

/// Defines metered calls. Without a reference to integration or virtual key: their usage outlives them.
fn metered_calls() -> NewTable {
    NewTable {
        name: "metered_calls",
        columns: vec![
            id("request_id"),
            uuid("tenant_id"),
            uuid("project_id"),
            uuid("virtual_key_id"),
            uuid("integration_id"),
            text("provider"),
            text_null("model"),
            text("path"),
            small_null("http_status"),
            number_null("input_tokens"),
            number_null("cached_input_tokens"),
            number_null("output_tokens"),
            number_null("reasoning_tokens"),
            number_null("cost_nano_usd"),
            text_null("price_version"),
            number("started_at_ms"),
            number("duration_ms"),
            number_null("first_byte_ms"),
            flag("streamed"),
            flag("complete"),
        ],
        key: &[],
        references: vec![to_tenant("metered_calls")],
        access: Access::WRITTEN_BY_SYSTEM,
    }
}

fn usage_daily() -> NewTable {
    NewTable {
        name: "usage_daily",
        columns: vec![
            uuid("tenant_id"),
            text("day"),
            uuid("project_id"),
            uuid("integration_id"),
            uuid("virtual_key_id"),
            text("provider"),
            text("model"),
            number("requests"),
            number("failed_requests"),
            number("unknown_token_requests"),
            number("unpriced_requests"),
            number_null("input_tokens"),
            number_null("cached_input_tokens"),
            number_null("output_tokens"),
            number_null("reasoning_tokens"),
            number_null("cost_nano_usd"),
        ],
        key: &["tenant_id", "day", "project_id", "integration_id", "virtual_key_id", "provider", "model"],
        references: vec![to_tenant("usage_daily")],
        access: Access::WRITTEN_BY_SYSTEM,
    }
}

fn reported_usage() -> NewTable {
    NewTable {
        name: "reported_usage",
        columns: vec![
            uuid("tenant_id"),
            uuid("integration_id"),
            text("source"),
            number("bucket_start_ms"),
            number("bucket_end_ms"),
            text("model"),
            text("line_item"),
            uuid("project_id"),
            text("provider"),
            text("day"),
            number_null("requests"),
            number_null("input_tokens"),
            number_null("cached_input_tokens"),
            number_null("output_tokens"),
            number_null("reasoning_tokens"),
            number_null("cost_nano_usd"),
            number("fetched_at_ms"),
        ],
        key: &["tenant_id", "integration_id", "source", "bucket_start_ms", "bucket_end_ms", "model", "line_item"],
        references: vec![to_tenant("reported_usage")],
        access: Access::SHARED,
    }
}

fn usage_cursors() -> NewTable {
    NewTable {
        name: "usage_cursors",
        columns: vec![
            uuid("integration_id"),
            text("source"),
            uuid("tenant_id"),
            number("fetched_to_ms"),
            number("revision"),
        ],
        key: &["integration_id", "source"],
        references: vec![same_tenant("usage_cursors", "integration_id", "integrations", Cascade)],
        access: Access::SHARED,
    }
}
