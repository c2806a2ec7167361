//! Data keys, secrets, integrations and the history of their verdicts.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager,
    prelude::ForeignKeyAction::{Cascade, NoAction},
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
        "m0002_integrations"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [data_keys(), secrets(), integrations(), verdicts()] {
            create(manager, table).await?;
        }
        indexes(
            manager,
            &[
                "UNIQUE data_keys_id ON data_keys (id)",
                "UNIQUE data_keys_active ON data_keys (tenant_id) WHERE state = 'active'",
                "UNIQUE secrets_id ON secrets (id)",
                "UNIQUE integrations_id ON integrations (id)",
                "UNIQUE integrations_name ON integrations (tenant_id, project_id, name)",
                "UNIQUE integrations_fingerprint ON integrations (tenant_id, fingerprint_key_id, fingerprint)",
                "integrations_proxy ON integrations (tenant_id, project_id, provider)",
                "integrations_due ON integrations (next_check_at_ms) WHERE status <> 'disabled'",
                "verdicts_history ON verdicts (tenant_id, integration_id, checked_at_ms)",
                "verdicts_age ON verdicts (checked_at_ms)",
            ],
        )
        .await
    }
}

fn data_keys() -> NewTable {
    NewTable {
        name: "data_keys",
        columns: vec![
            uuid("id"),
            uuid("tenant_id"),
            small("root_version"),
            bytes("wrapped_enc"),
            bytes("wrapped_fp"),
            text("state"),
            number("created_at_ms"),
        ],
        key: &["tenant_id", "id"],
        references: vec![to_tenant("data_keys")],
        access: Access::SHARED,
    }
}

fn secrets() -> NewTable {
    NewTable {
        name: "secrets",
        columns: vec![
            uuid("id"),
            uuid("tenant_id"),
            small("version"),
            bytes("envelope"),
            uuid("data_key_id"),
            number("created_at_ms"),
        ],
        key: &["tenant_id", "id"],
        references: vec![to_tenant("secrets"), same_tenant("secrets", "data_key_id", "data_keys", Cascade)],
        access: Access::SHARED,
    }
}

fn integrations() -> NewTable {
    NewTable {
        name: "integrations",
        columns: vec![
            uuid("id"),
            uuid("tenant_id"),
            uuid("project_id"),
            text("provider"),
            text("name"),
            text("status"),
            text("hint"),
            text_null("base_url"),
            text("config"),
            text("key_family"),
            text_null("usage_not_reportable"),
            uuid("secret_id"),
            small("secret_version"),
            bytes("fingerprint"),
            uuid("fingerprint_key_id"),
            number_null("expires_at_ms"),
            text_null("verdict_kind"),
            small_null("verdict_http_status"),
            text_null("verdict_request_id"),
            text_null("verdict_code"),
            text_null("verdict_reason"),
            number_null("checked_at_ms"),
            number_null("next_check_at_ms"),
            number_null("last_used_at_ms"),
            number("created_at_ms"),
            number("updated_at_ms"),
            small("version"),
        ],
        key: &["tenant_id", "id"],
        references: vec![
            to_tenant("integrations"),
            same_tenant("integrations", "project_id", "projects", NoAction),
            same_tenant("integrations", "secret_id", "secrets", Cascade),
        ],
        access: Access::SHARED,
    }
}

fn verdicts() -> NewTable {
    NewTable {
        name: "verdicts",
        columns: vec![
            uuid("operation_id"),
            small("attempt"),
            uuid("tenant_id"),
            uuid("integration_id"),
            small("secret_version"),
            text("kind"),
            small_null("http_status"),
            text_null("provider_request_id"),
            text_null("provider_code"),
            text("reason"),
            number("checked_at_ms"),
        ],
        key: &["operation_id", "attempt"],
        references: vec![same_tenant("verdicts", "integration_id", "integrations", Cascade)],
        access: Access::WRITTEN_BY_SYSTEM,
    }
}
