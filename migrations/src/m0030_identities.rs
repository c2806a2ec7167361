//! Identities of people at identity providers: each is one person's, and a person has one at an issuer.

use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, sea_orm::DbErr};

use crate::{
    protect::Access,
    table::{NewTable, create, indexes, number, text, to_user, uuid},
};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0030_identities"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, identities()).await?;
        indexes(manager, &["UNIQUE identities_user ON identities (user_id, issuer)"]).await
    }
}

fn identities() -> NewTable {
    NewTable {
        name: "identities",
        columns: vec![text("issuer"), text("subject"), uuid("user_id"), number("created_at_ms")],
        key: &["issuer", "subject"],
        references: vec![to_user("identities")],
        access: Access::SYSTEM_ONLY,
    }
}
