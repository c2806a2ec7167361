//! Passkeys of people: a credential proves one person.

use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, sea_orm::DbErr};

use crate::{
    protect::Access,
    table::{NewTable, bytes, create, flag, id, indexes, number, number_null, text, to_user, uuid},
};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0031_passkeys"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, passkeys()).await?;
        indexes(
            manager,
            &["UNIQUE passkeys_credential ON passkeys (credential_id)", "passkeys_user ON passkeys (user_id, id)"],
        )
        .await
    }
}

fn passkeys() -> NewTable {
    NewTable {
        name: "passkeys",
        columns: vec![
            id("id"),
            uuid("user_id"),
            bytes("credential_id"),
            bytes("public_key"),
            bytes("user_handle"),
            number("sign_count"),
            flag("may_be_backed_up"),
            flag("is_backed_up"),
            text("name"),
            number("created_at_ms"),
            number_null("last_used_at_ms"),
        ],
        key: &[],
        references: vec![to_user("passkeys")],
        access: Access::SYSTEM_ONLY,
    }
}
