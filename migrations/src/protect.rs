//! Row-level security on PostgreSQL: the two roles, and their rights on each table.
//!
//! `keyway_app` sees the rows of the tenant that its transaction has set, and none when none is set. `keyway_system`
//! (relay, schedules, writers, sign-in) sees every row through a policy of its own. Neither owns a table or can log in.
//! SQLite has neither: there every query names its tenant.

use sea_orm_migration::{
    SchemaManager,
    sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr},
};

/// Rights of the two roles on a table.
#[derive(Clone, Copy)]
pub(crate) struct Access {
    /// Rights of `keyway_app`; empty for none.
    pub(crate) app: &'static str,
    /// Rights of `keyway_system`.
    pub(crate) system: &'static str,
    /// Column that names the tenant; `None` for tables that belong to no tenant.
    pub(crate) tenant_column: Option<&'static str>,
}

const ALL: &str = "SELECT, INSERT, UPDATE, DELETE";

impl Access {
    /// Both roles read and write.
    pub(crate) const SHARED: Self = Self { app: ALL, system: ALL, tenant_column: Some("tenant_id") };
    /// The app role only reads.
    pub(crate) const WRITTEN_BY_SYSTEM: Self = Self { app: "SELECT", ..Self::SHARED };
    /// The app role only reads, the system role only appends and reads.
    pub(crate) const APPEND_ONLY: Self =
        Self { app: "SELECT", system: "SELECT, INSERT", tenant_column: Some("tenant_id") };
    /// The app role has no rights.
    pub(crate) const SYSTEM_ONLY: Self = Self { app: "", system: ALL, tenant_column: None };
}

/// Creates the roles that the cluster does not have, and lets the current login assume them. Other databases of the
/// cluster may do the same concurrently.
///
/// Since PostgreSQL 16 the creator of a role may only administer it: the right to assume it is granted separately,
/// without inheriting the role's rights. Earlier versions know neither option.
pub(crate) async fn create_roles(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    for role in ["keyway_app", "keyway_system"] {
        tx.execute_unprepared(&format!(
            "DO $$ BEGIN
                 IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
                     BEGIN
                         CREATE ROLE {role} NOLOGIN NOINHERIT NOBYPASSRLS;
                     EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
                     END;
                 END IF;
                 IF current_setting('server_version_num')::int >= 160000 THEN
                     IF NOT pg_has_role(current_user, '{role}', 'SET') THEN
                         BEGIN
                             EXECUTE 'GRANT {role} TO CURRENT_USER WITH SET TRUE, INHERIT FALSE';
                         EXCEPTION WHEN unique_violation THEN NULL;
                         END;
                     END IF;
                 ELSIF NOT pg_has_role(current_user, '{role}', 'MEMBER') THEN
                     BEGIN
                         GRANT {role} TO CURRENT_USER;
                     EXCEPTION WHEN unique_violation THEN NULL;
                     END;
                 END IF;
                 GRANT USAGE ON SCHEMA public TO {role};
             END $$"
        ))
        .await?;
    }
    Ok(())
}

/// Grants both roles their rights on a table and, if it has tenants, forces row-level security.
pub(crate) async fn protect(manager: &SchemaManager<'_>, table: &str, access: Access) -> Result<(), DbErr> {
    if manager.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let db = manager.get_connection();
    for (role, rights) in [("keyway_app", access.app), ("keyway_system", access.system)] {
        if !rights.is_empty() {
            db.execute_unprepared(&format!("GRANT {rights} ON {table} TO {role}")).await?;
        }
    }
    let Some(column) = access.tenant_column else { return Ok(()) };
    let own = format!("{column} = NULLIF(current_setting('keyway.tenant_id', true), '')::uuid");
    db.execute_unprepared(&format!(
        "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
         ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
         CREATE POLICY own_tenant ON {table} TO keyway_app USING ({own}) WITH CHECK ({own});
         CREATE POLICY every_tenant ON {table} TO keyway_system USING (true) WITH CHECK (true)"
    ))
    .await?;
    Ok(())
}
