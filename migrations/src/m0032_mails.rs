//! Mails to one recipient each, with their links sealed; which of them people want, and from where they have signed in.

use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, schema::blob_null, sea_orm::DbErr};

use crate::{
    protect::Access,
    table::{
        NewTable, bytes, create, flag, id, indexes, number, number_null, small, text, text_null, to_tenant, to_user,
        to_user_in, uuid, uuid_null,
    },
};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0032_mails"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [mails(), mail_choices(), known_places()] {
            create(manager, table).await?;
        }
        indexes(
            manager,
            &[
                "mails_list ON mails (tenant_id, id)",
                "mails_state ON mails (state, created_at_ms)",
                "mails_end ON mails (created_at_ms)",
                "known_places_end ON known_places (seen_at_ms)",
            ],
        )
        .await
    }
}

/// A mail about a person's own account is no tenant's.
fn mails() -> NewTable {
    NewTable {
        name: "mails",
        columns: vec![
            id("id"),
            uuid_null("tenant_id"),
            uuid_null("user_id"),
            text("kind"),
            text("recipient"),
            text("locale"),
            text("content"),
            blob_null("envelope"),
            uuid_null("data_key_id"),
            text("message_id"),
            text("state"),
            text_null("error_code"),
            small("attempts"),
            uuid_null("operation_id"),
            number("created_at_ms"),
            number_null("ends_at_ms"),
            number_null("sent_at_ms"),
        ],
        key: &[],
        references: vec![to_tenant("mails"), to_user_in("mails", "user_id")],
        access: Access::SHARED,
    }
}

/// Without a row a person gets the mails of a kind.
fn mail_choices() -> NewTable {
    NewTable {
        name: "mail_choices",
        columns: vec![uuid("user_id"), text("kind"), flag("is_wanted")],
        key: &["user_id", "kind"],
        references: vec![to_user("mail_choices")],
        access: Access::SYSTEM_ONLY,
    }
}

/// The hash of a network and a device, for each person.
fn known_places() -> NewTable {
    NewTable {
        name: "known_places",
        columns: vec![uuid("user_id"), bytes("place_sha256"), number("seen_at_ms")],
        key: &["user_id", "place_sha256"],
        references: vec![to_user("known_places")],
        access: Access::SYSTEM_ONLY,
    }
}
