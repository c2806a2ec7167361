//! People who can sign in, their sessions, and what they prove themselves by. All of it is the installation's: a person
//! may be a member of several tenants, and none of them sees another one's sessions.

use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, sea_orm::DbErr};

use crate::{
    protect::Access,
    table::{NewTable, bytes, create, id, indexes, number, number_null, small, text, text_null, to_user, uuid},
};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0025_people"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [users(), sessions(), link_tokens(), totp_factors(), recovery_codes()] {
            create(manager, table).await?;
        }
        indexes(
            manager,
            &[
                "UNIQUE users_email ON users (email_key)",
                "UNIQUE sessions_token ON sessions (token_sha256)",
                "sessions_user ON sessions (user_id, id)",
                "sessions_end ON sessions (idle_ends_at_ms)",
                "link_tokens_user ON link_tokens (user_id)",
                "link_tokens_end ON link_tokens (expires_at_ms)",
            ],
        )
        .await
    }
}

/// The address as it was given, to write to, and as it is compared.
fn users() -> NewTable {
    NewTable {
        name: "users",
        columns: vec![
            id("id"),
            text("email"),
            text("email_key"),
            text("name"),
            text("locale"),
            text_null("password_hash"),
            number_null("password_changed_at_ms"),
            number_null("disabled_at_ms"),
            number("created_at_ms"),
            small("version"),
        ],
        key: &[],
        references: vec![],
        access: Access::SYSTEM_ONLY,
    }
}

/// A session that ended has no row. Without use it ends at the idle end, which is never after the other one.
fn sessions() -> NewTable {
    NewTable {
        name: "sessions",
        columns: vec![
            id("id"),
            uuid("user_id"),
            bytes("token_sha256"),
            number("created_at_ms"),
            number("seen_at_ms"),
            number("idle_ms"),
            number("idle_ends_at_ms"),
            number("ends_at_ms"),
            text_null("address"),
            text_null("device"),
            number("proof_at_ms"),
            text("proved_by"),
        ],
        key: &[],
        references: vec![to_user("sessions")],
        access: Access::SYSTEM_ONLY,
    }
}

/// A token that was used has no row.
fn link_tokens() -> NewTable {
    NewTable {
        name: "link_tokens",
        columns: vec![
            bytes("token_sha256"),
            text("purpose"),
            uuid("user_id"),
            number("created_at_ms"),
            number("expires_at_ms"),
        ],
        key: &["token_sha256"],
        references: vec![to_user("link_tokens")],
        access: Access::SYSTEM_ONLY,
    }
}

/// One for each person at most; it asks for nothing until it is confirmed.
fn totp_factors() -> NewTable {
    NewTable {
        name: "totp_factors",
        columns: vec![
            uuid("user_id"),
            bytes("envelope"),
            uuid("data_key_id"),
            small("version"),
            number("created_at_ms"),
            number_null("confirmed_at_ms"),
            number_null("last_step"),
        ],
        key: &["user_id"],
        references: vec![to_user("totp_factors")],
        access: Access::SYSTEM_ONLY,
    }
}

fn recovery_codes() -> NewTable {
    NewTable {
        name: "recovery_codes",
        columns: vec![uuid("user_id"), bytes("code_sha256"), number_null("used_at_ms")],
        key: &["user_id", "code_sha256"],
        references: vec![to_user("recovery_codes")],
        access: Access::SYSTEM_ONLY,
    }
}
