//! Tenants, projects, virtual keys, custom providers and their models, settings.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, prelude::ForeignKeyAction::Cascade, sea_orm::DbErr,
};

use crate::{
    protect::Access,
    table::{NewTable, bytes, create, id, indexes, number, number_null, same_tenant, small, text, to_tenant, uuid},
};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0001_tenancy"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [tenants(), projects(), virtual_keys(), providers(), provider_models(), settings()] {
            create(manager, table).await?;
        }
        indexes(
            manager,
            &[
                "UNIQUE tenants_name ON tenants (name)",
                "UNIQUE projects_name ON projects (tenant_id, name)",
                "UNIQUE virtual_keys_token ON virtual_keys (token_sha256)",
                "virtual_keys_list ON virtual_keys (tenant_id, project_id, id)",
                "UNIQUE providers_name ON providers (tenant_id, name)",
                "UNIQUE provider_models_model ON provider_models (tenant_id, provider_name, model)",
            ],
        )
        .await
    }
}

fn tenants() -> NewTable {
    NewTable {
        name: "tenants",
        columns: vec![id("id"), text("name"), number("created_at_ms")],
        key: &[],
        references: vec![],
        access: Access { tenant_column: Some("id"), ..Access::WRITTEN_BY_SYSTEM },
    }
}

fn projects() -> NewTable {
    NewTable {
        name: "projects",
        columns: vec![uuid("id"), uuid("tenant_id"), text("name"), number("created_at_ms"), small("version")],
        key: &["tenant_id", "id"],
        references: vec![to_tenant("projects")],
        access: Access::SHARED,
    }
}

fn virtual_keys() -> NewTable {
    NewTable {
        name: "virtual_keys",
        columns: vec![
            id("id"),
            uuid("tenant_id"),
            uuid("project_id"),
            text("name"),
            bytes("token_sha256"),
            text("hint"),
            number_null("expires_at_ms"),
            number_null("revoked_at_ms"),
            number_null("last_used_at_ms"),
            number("created_at_ms"),
            small("version"),
        ],
        key: &[],
        references: vec![same_tenant("virtual_keys", "project_id", "projects", Cascade)],
        access: Access::SHARED,
    }
}

fn providers() -> NewTable {
    NewTable {
        name: "providers",
        columns: vec![
            id("id"),
            uuid("tenant_id"),
            text("name"),
            text("display_name"),
            text("base_url"),
            number("created_at_ms"),
            small("version"),
        ],
        key: &[],
        references: vec![to_tenant("providers")],
        access: Access::SHARED,
    }
}

fn provider_models() -> NewTable {
    NewTable {
        name: "provider_models",
        columns: vec![id("id"), uuid("tenant_id"), text("provider_name"), text("model"), number("created_at_ms")],
        key: &[],
        references: vec![to_tenant("provider_models")],
        access: Access::SHARED,
    }
}

fn settings() -> NewTable {
    NewTable {
        name: "settings",
        columns: vec![text("key"), text("value")],
        key: &["key"],
        references: vec![],
        access: Access::SYSTEM_ONLY,
    }
}
