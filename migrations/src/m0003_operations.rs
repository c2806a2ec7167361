//! Operations, the outbox, dead letters, schedules and idempotency records.

use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, sea_orm::DbErr};

use crate::{
    protect::Access,
    table::{
        NewTable, bytes, create, id, indexes, number, number_null, small, text, text_null, to_tenant, uuid, uuid_null,
    },
};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0003_operations"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [operations(), outbox(), dead_letters(), schedule_fires(), idempotency_keys()] {
            create(manager, table).await?;
        }
        indexes(
            manager,
            &[
                "operations_list ON operations (tenant_id, id)",
                "operations_children ON operations (parent_id, state)",
                "operations_integration ON operations (integration_id, id)",
                "operations_age ON operations (finished_at_ms)",
                "outbox_due ON outbox (route, available_at_ms, id)",
                "outbox_operation ON outbox (operation_id)",
                "dead_letters_list ON dead_letters (tenant_id, id)",
                "idempotency_keys_age ON idempotency_keys (created_at_ms)",
            ],
        )
        .await
    }
}

fn operations() -> NewTable {
    NewTable {
        name: "operations",
        columns: vec![
            id("id"),
            uuid("tenant_id"),
            uuid_null("parent_id"),
            text("kind"),
            text("origin"),
            uuid_null("integration_id"),
            text("state"),
            small("attempt"),
            number_null("total"),
            number_null("planned_at_ms"),
            text_null("error_code"),
            number_null("due_at_ms"),
            number("created_at_ms"),
            number_null("started_at_ms"),
            number_null("finished_at_ms"),
            text("command"),
        ],
        key: &[],
        references: vec![to_tenant("operations")],
        access: Access::SHARED,
    }
}

/// Defines the outbox. Without a reference to the tenant: a committed message is delivered even after the tenant is
/// gone.
fn outbox() -> NewTable {
    NewTable {
        name: "outbox",
        columns: vec![
            id("id"),
            uuid("tenant_id"),
            text("route"),
            uuid_null("operation_id"),
            bytes("body"),
            number("available_at_ms"),
            number_null("claimed_until_ms"),
            number("created_at_ms"),
        ],
        key: &[],
        references: vec![],
        access: Access::SHARED,
    }
}

/// Defines dead letters. Without a reference to the tenant: the body may name one that never existed.
fn dead_letters() -> NewTable {
    NewTable {
        name: "dead_letters",
        columns: vec![
            id("id"),
            uuid_null("tenant_id"),
            text("lane"),
            text("reason"),
            text("error"),
            bytes("body"),
            small("attempts"),
            number("created_at_ms"),
            number_null("replayed_at_ms"),
        ],
        key: &[],
        references: vec![],
        access: Access::SHARED,
    }
}

fn schedule_fires() -> NewTable {
    NewTable {
        name: "schedule_fires",
        columns: vec![text("schedule"), number("fire_at_ms"), number("created_at_ms")],
        key: &["schedule", "fire_at_ms"],
        references: vec![],
        access: Access::SYSTEM_ONLY,
    }
}

fn idempotency_keys() -> NewTable {
    NewTable {
        name: "idempotency_keys",
        columns: vec![
            uuid("tenant_id"),
            text("route"),
            text("key"),
            bytes("request_sha256"),
            small("status"),
            bytes("response"),
            number("created_at_ms"),
        ],
        key: &["tenant_id", "route", "key"],
        references: vec![to_tenant("idempotency_keys")],
        access: Access::SHARED,
    }
}
