//! The audit chain: entries that are appended and never changed, the end of each tenant's chain, signed checkpoints. They
//! outlive their tenant, as the audit log does.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager,
    sea_orm::{ConnectionTrait, DbBackend, DbErr},
};

use crate::{
    protect::Access,
    table::{NewTable, bytes, create, id, indexes, number, text, uuid},
};

/// Time for which writers that do not know of the chain may still append to the log: a week.
const ADOPTION: Duration = Duration::from_secs(7 * 86_400);

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0038_audit_chain"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, audit_entries()).await?;
        create(manager, audit_chains()).await?;
        create(manager, audit_checkpoints()).await?;
        let open = "audit_chains_open ON audit_chains (signed_at_ms) WHERE size > signed_size";
        let adopting = "audit_chains_adopting ON audit_chains (tenant_id) WHERE adopts_until_ms > 0";
        indexes(manager, &["UNIQUE audit_entries_event ON audit_entries (event_id)", open, adopting]).await?;
        let nothing = match manager.get_database_backend() {
            DbBackend::Postgres => "''::bytea",
            _ => "zeroblob(0)",
        };
        // A schedule takes events from before into the chain, and those of writers that do not know of it yet.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let adopts_until_ms = (now + ADOPTION).as_millis();
        let chains = format!(
            "INSERT INTO audit_chains (tenant_id, size, hash, peaks, signed_size, signed_at_ms, adopts_until_ms) \
             SELECT tenant_id, 0, {nothing}, {nothing}, 0, 0, {adopts_until_ms} FROM audit_events GROUP BY tenant_id"
        );
        manager.get_connection().execute_unprepared(&chains).await.map(drop)
    }
}

fn audit_entries() -> NewTable {
    NewTable {
        name: "audit_entries",
        columns: vec![uuid("tenant_id"), number("sequence"), uuid("event_id"), text("entry"), bytes("hash")],
        key: &["tenant_id", "sequence"],
        references: vec![],
        access: Access::APPEND_ONLY,
    }
}

fn audit_chains() -> NewTable {
    NewTable {
        name: "audit_chains",
        columns: vec![
            id("tenant_id"),
            number("size"),
            bytes("hash"),
            bytes("peaks"),
            number("signed_size"),
            number("signed_at_ms"),
            number("adopts_until_ms"),
        ],
        key: &[],
        references: vec![],
        access: Access::WRITTEN_BY_SYSTEM,
    }
}

fn audit_checkpoints() -> NewTable {
    NewTable {
        name: "audit_checkpoints",
        columns: vec![uuid("tenant_id"), number("size"), text("note"), number("created_at_ms")],
        key: &["tenant_id", "size"],
        references: vec![],
        access: Access::APPEND_ONLY,
    }
}
