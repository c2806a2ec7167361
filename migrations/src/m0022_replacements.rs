//! Credentials kept beside those they are to replace until they are verified, and the columns from which an
//! integration's true status follows meanwhile: status before a test, latest proof by a call, start of its host's
//! outage.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager,
    prelude::{ForeignKeyAction::Cascade, Table},
    sea_orm::DbErr,
};

use crate::{
    protect::Access,
    table::{
        NewTable, bytes, create, indexes, number, number_null, same_tenant, small, small_null, text, text_null,
        to_tenant, uuid,
    },
};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0022_replacements"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, replacements()).await?;
        for column in [text_null("settled_status"), number_null("served_at_ms"), number_null("away_since_ms")] {
            manager.alter_table(Table::alter().table("integrations").add_column(column).take()).await?;
        }
        indexes(
            manager,
            &[
                "replacements_waiting ON replacements (created_at_ms) WHERE state = 'verifying'",
                "integrations_verifying ON integrations (updated_at_ms) WHERE status = 'verifying'",
                "integrations_unreachable ON integrations (tenant_id, provider) WHERE verdict_kind = 'unreachable'",
            ],
        )
        .await
    }
}

/// Defines at most one row per integration. A refused replacement keeps its row, without the envelope.
fn replacements() -> NewTable {
    NewTable {
        name: "replacements",
        columns: vec![
            uuid("tenant_id"),
            uuid("integration_id"),
            small("version"),
            text("state"),
            bytes("envelope"),
            uuid("data_key_id"),
            bytes("fingerprint"),
            text("hint"),
            text("key_family"),
            text_null("base_url"),
            text_null("config"),
            uuid("operation_id"),
            text_null("verdict_kind"),
            small_null("verdict_http_status"),
            text_null("verdict_request_id"),
            text_null("verdict_code"),
            text_null("verdict_reason"),
            number_null("checked_at_ms"),
            number("created_at_ms"),
        ],
        key: &["integration_id", "tenant_id"],
        references: vec![
            to_tenant("replacements"),
            same_tenant("replacements", "integration_id", "integrations", Cascade),
            same_tenant("replacements", "data_key_id", "data_keys", Cascade),
        ],
        access: Access::SHARED,
    }
}
