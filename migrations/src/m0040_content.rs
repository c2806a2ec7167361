//! Modules of a tenant, types of content and of nodes, and documents (entries, flows, scenes) with their versions.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager,
    prelude::ForeignKeyAction::{Cascade, NoAction},
    sea_orm::DbErr,
};

use crate::{
    protect::Access,
    table::{
        NewTable, create, flag, indexes, number, number_null, same_tenant, small, small_null, text, text_null,
        to_tenant, uuid, uuid_null,
    },
};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0040_content"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [modules(), content_types(), node_types(), documents(), document_versions()] {
            create(manager, table).await?;
        }
        indexes(
            manager,
            &[
                "UNIQUE content_types_name ON content_types (tenant_id, name)",
                "UNIQUE documents_entry ON documents (tenant_id, type_id, locale, slug) WHERE type_id IS NOT NULL",
                "UNIQUE documents_slug ON documents (tenant_id, kind, locale, slug) WHERE type_id IS NULL",
                "documents_list ON documents (tenant_id, kind, type_id, id)",
                "documents_recent ON documents (tenant_id, kind, type_id, updated_at_ms, id)",
                "documents_parent ON documents (tenant_id, parent_id) WHERE parent_id IS NOT NULL",
                "documents_due ON documents (publish_at_ms) WHERE publish_at_ms IS NOT NULL",
            ],
        )
        .await
    }
}

/// Without a row a tenant has none switched on.
fn modules() -> NewTable {
    NewTable {
        name: "modules",
        columns: vec![uuid("tenant_id"), text("modules"), text("scene_hosts"), small("version")],
        key: &["tenant_id"],
        references: vec![to_tenant("modules")],
        access: Access::SHARED,
    }
}

/// A schema that waits is checked against the entries there are; the report is that of the last check.
fn content_types() -> NewTable {
    NewTable {
        name: "content_types",
        columns: vec![
            uuid("id"),
            uuid("tenant_id"),
            text("name"),
            text("title"),
            text("schema"),
            text("access"),
            text_null("slug_field"),
            text_null("waiting_schema"),
            flag("is_forced"),
            text_null("report"),
            small("version"),
            number("created_at_ms"),
            number("updated_at_ms"),
        ],
        key: &["tenant_id", "id"],
        references: vec![to_tenant("content_types")],
        access: Access::SHARED,
    }
}

fn node_types() -> NewTable {
    NewTable {
        name: "node_types",
        columns: vec![
            uuid("tenant_id"),
            text("name"),
            text("config_schema"),
            flag("is_acyclic"),
            small("version"),
            number("updated_at_ms"),
        ],
        key: &["tenant_id", "name"],
        references: vec![to_tenant("node_types")],
        access: Access::SHARED,
    }
}

/// The draft, and which of its versions is published or will be.
fn documents() -> NewTable {
    NewTable {
        name: "documents",
        columns: vec![
            uuid("id"),
            uuid("tenant_id"),
            text("kind"),
            uuid_null("type_id"),
            text("slug"),
            text("title"),
            text("locale"),
            text_null("access"),
            text("author"),
            uuid_null("parent_id"),
            text_null("format"),
            text("body"),
            text("metadata"),
            small("version"),
            small_null("published_version"),
            number_null("published_at_ms"),
            small_null("scheduled_version"),
            number_null("publish_at_ms"),
            number("created_at_ms"),
            number("updated_at_ms"),
        ],
        key: &["tenant_id", "id"],
        references: vec![
            to_tenant("documents"),
            same_tenant("documents", "type_id", "content_types", NoAction),
            same_tenant("documents", "parent_id", "documents", NoAction),
        ],
        access: Access::SHARED,
    }
}

fn document_versions() -> NewTable {
    NewTable {
        name: "document_versions",
        columns: vec![
            uuid("tenant_id"),
            uuid("document_id"),
            small("version"),
            text("title"),
            text_null("access"),
            text("author"),
            text("body"),
            text("metadata"),
            number("created_at_ms"),
        ],
        key: &["tenant_id", "document_id", "version"],
        references: vec![
            to_tenant("document_versions"),
            same_tenant("document_versions", "document_id", "documents", Cascade),
        ],
        access: Access::SHARED,
    }
}
