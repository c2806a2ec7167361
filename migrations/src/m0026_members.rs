//! What people and programs are in a tenant: memberships, invitations, services, and whether secrets may be revealed.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, prelude::ForeignKeyAction::Cascade, sea_orm::DbErr,
};

use crate::{
    protect::Access,
    table::{
        NewTable, bytes, create, flag, id, indexes, number, number_null, same_tenant, small, text, to_tenant, to_user,
        to_user_in, uuid, uuid_null,
    },
};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0026_members"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [memberships(), invitations(), services(), reveal_allowances()] {
            create(manager, table).await?;
        }
        indexes(
            manager,
            &[
                // To be no part of any project is a place of its own: NULL is equal to nothing in a unique index.
                "UNIQUE memberships_tenant ON memberships (tenant_id, user_id) WHERE project_id IS NULL",
                "UNIQUE memberships_project ON memberships (tenant_id, user_id, project_id) WHERE project_id IS NOT NULL",
                "memberships_user ON memberships (user_id)",
                "memberships_list ON memberships (tenant_id, id)",
                "UNIQUE invitations_token ON invitations (token_sha256)",
                "invitations_end ON invitations (expires_at_ms)",
                "invitations_list ON invitations (tenant_id, id)",
                "invitations_open ON invitations (tenant_id, email_key) \
                 WHERE accepted_at_ms IS NULL AND revoked_at_ms IS NULL",
                "UNIQUE services_public_id ON services (public_id)",
                "UNIQUE services_name ON services (tenant_id, name) WHERE revoked_at_ms IS NULL",
            ],
        )
        .await
    }
}

fn memberships() -> NewTable {
    NewTable {
        name: "memberships",
        columns: vec![
            id("id"),
            uuid("tenant_id"),
            uuid("user_id"),
            text("role"),
            uuid_null("project_id"),
            flag("may_reveal"),
            number("created_at_ms"),
            small("version"),
        ],
        key: &[],
        references: vec![
            to_tenant("memberships"),
            to_user("memberships"),
            same_tenant("memberships", "project_id", "projects", Cascade),
        ],
        access: Access::SHARED,
    }
}

/// Without an inviter it is the operator's.
fn invitations() -> NewTable {
    NewTable {
        name: "invitations",
        columns: vec![
            id("id"),
            uuid("tenant_id"),
            text("email"),
            text("email_key"),
            text("role"),
            uuid_null("project_id"),
            bytes("token_sha256"),
            uuid_null("invited_by"),
            number("created_at_ms"),
            number("expires_at_ms"),
            number_null("accepted_at_ms"),
            uuid_null("accepted_by"),
            number_null("revoked_at_ms"),
        ],
        key: &[],
        references: vec![
            to_tenant("invitations"),
            to_user_in("invitations", "invited_by"),
            to_user_in("invitations", "accepted_by"),
            same_tenant("invitations", "project_id", "projects", Cascade),
        ],
        access: Access::SHARED,
    }
}

/// Without a maker it is the operator's: whoever goes takes along what was made with its rights.
fn services() -> NewTable {
    NewTable {
        name: "services",
        columns: vec![
            id("id"),
            uuid("tenant_id"),
            text("name"),
            text("public_id"),
            bytes("token_sha256"),
            text("permissions"),
            uuid_null("made_by"),
            number("created_at_ms"),
            number("expires_at_ms"),
            number_null("last_used_at_ms"),
            number_null("revoked_at_ms"),
            small("version"),
        ],
        key: &[],
        references: vec![to_tenant("services"), to_user_in("services", "made_by")],
        access: Access::SHARED,
    }
}

/// A tenant without a row reveals nothing.
fn reveal_allowances() -> NewTable {
    NewTable {
        name: "reveal_allowances",
        columns: vec![uuid("tenant_id"), uuid_null("allowed_by"), number("allowed_at_ms")],
        key: &["tenant_id"],
        references: vec![to_tenant("reveal_allowances"), to_user_in("reveal_allowances", "allowed_by")],
        access: Access::SHARED,
    }
}
