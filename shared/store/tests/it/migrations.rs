//! Migrating: by several processes at once, and the resulting schema.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use keyway_migrations::{LockWaits, MigrateError};
use keyway_store::{DatabaseLimits, Store, raw};
use keyway_testkit::postgres::TestDatabase;
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, TransactionTrait as _};

use crate::fixture::Fixture;

async fn migrate_at_once(url: &str) -> Result<()> {
    assert!(!keyway_migrations::is_current(url).await?);
    let migrate = || keyway_migrations::migrate(url);
    let (a, b, c) = tokio::join!(migrate(), migrate(), migrate());
    let mut applied = [a?, b?, c?];
    applied.sort_unstable();
    assert_eq!(applied[..2], [0, 0], "only one of them finds work to do");
    assert!(applied[2] > 0);
    assert!(keyway_migrations::is_current(url).await?);
    Store::connect(url, DatabaseLimits::default()).await?.ping().await?;
    Ok(())
}

#[tokio::test]
async fn concurrent_migrations_apply_once_on_postgres() -> Result<()> {
    let database = TestDatabase::postgres().await?;
    Box::pin(migrate_at_once(&database.url)).await
}

#[tokio::test]
async fn concurrent_migrations_apply_once_on_sqlite() -> Result<()> {
    let database = TestDatabase::sqlite()?;
    Box::pin(migrate_at_once(&database.url)).await
}

/// Also for a process that is started again while a newer build is rolled out, or after it was rolled back.
async fn a_newer_schema_is_current(url: &str) -> Result<()> {
    assert!(keyway_migrations::migrate(url).await? > 0);
    let owner = Database::connect(url).await?;
    let later = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_of_a_newer_build', 1)";
    owner.execute_unprepared(later).await?;
    owner.close().await?;
    assert!(keyway_migrations::is_current(url).await?);
    assert_eq!(keyway_migrations::migrate(url).await?, 0);
    Store::connect(url, DatabaseLimits::default()).await?.ping().await?;
    Ok(())
}

#[tokio::test]
async fn a_newer_build_s_schema_is_current_on_postgres() -> Result<()> {
    Box::pin(a_newer_schema_is_current(&TestDatabase::postgres().await?.url)).await
}

#[tokio::test]
async fn a_newer_build_s_schema_is_current_on_sqlite() -> Result<()> {
    Box::pin(a_newer_schema_is_current(&TestDatabase::sqlite()?.url)).await
}

#[tokio::test]
async fn several_databases_of_one_cluster_migrate_at_once() -> Result<()> {
    let (a, b) = tokio::try_join!(TestDatabase::postgres(), TestDatabase::postgres())?;
    let (a, b) = tokio::join!(keyway_migrations::migrate(&a.url), keyway_migrations::migrate(&b.url));
    assert_eq!(a?, b?);
    Ok(())
}

/// Takes the latest migration back, which changes `operations`, and returns a pool of the tables' owner.
async fn one_migration_behind(database: &TestDatabase) -> Result<DatabaseConnection> {
    keyway_migrations::migrate(&database.url).await?;
    let owner = Database::connect(&database.url).await?;
    owner.execute_unprepared("DROP INDEX operations_rounds").await?;
    let forget = "DELETE FROM seaql_migrations WHERE version = 'm0024_rounds'";
    ensure!(owner.execute_unprepared(forget).await?.rows_affected() == 1);
    Ok(owner)
}

#[tokio::test]
async fn a_migration_that_waits_for_a_table_lets_others_past_and_is_applied_in_the_end() -> Result<()> {
    let database = TestDatabase::postgres().await?;
    let owner = one_migration_behind(&database).await?;
    let holder = owner.begin().await?;
    holder.execute_unprepared("INSERT INTO operations SELECT * FROM operations").await?;
    let waits = LockWaits { pause: Duration::from_millis(50), attempts: 1000, ..LockWaits::default() };
    let others = async {
        let until = Instant::now() + Duration::from_secs(60);
        let waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'operations'::regclass";
        while owner.execute_unprepared(waiting).await?.rows_affected() == 0 {
            ensure!(Instant::now() < until, "it never came to the table");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // It conflicts with the lock that the migration waits for, not with the one that is held.
        let past = owner.execute_unprepared("INSERT INTO operations SELECT * FROM operations");
        tokio::time::timeout(Duration::from_secs(30), past).await.context("others are held up as well")??;
        let applied = "SELECT 1 FROM seaql_migrations WHERE version = 'm0024_rounds'";
        ensure!(owner.execute_unprepared(applied).await?.rows_affected() == 0, "it is still to be applied");
        Ok(holder.rollback().await?)
    };
    let (migrated, others) = tokio::join!(keyway_migrations::migrate_patiently(&database.url, waits), others);
    others?;
    ensure!(migrated? == 1 && keyway_migrations::is_current(&database.url).await?);
    Ok(())
}

#[tokio::test]
async fn a_migration_that_never_gets_its_table_ends_and_changes_nothing() -> Result<()> {
    let database = TestDatabase::postgres().await?;
    let owner = one_migration_behind(&database).await?;
    let holder = owner.begin().await?;
    holder.execute_unprepared("LOCK TABLE operations IN ROW EXCLUSIVE MODE").await?;
    let waits = LockWaits { each: Duration::from_millis(20), attempts: 2, pause: Duration::from_millis(5) };
    let given_up = keyway_migrations::migrate_patiently(&database.url, waits).await;
    ensure!(matches!(given_up, Err(MigrateError::Locked(2))), "{given_up:?}");
    ensure!(!keyway_migrations::is_current(&database.url).await?);
    holder.rollback().await?;
    ensure!(keyway_migrations::migrate_patiently(&database.url, waits).await? == 1);
    Ok(())
}

#[tokio::test]
async fn every_table_of_tenants_forces_row_level_security_and_no_role_owns_one() -> Result<()> {
    let fixture = Fixture::postgres().await?;
    let tx = fixture.store.system_read().await?;
    let open = "SELECT c.relname::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                WHERE n.nspname = 'public' AND c.relkind = 'r' AND NOT (c.relrowsecurity AND c.relforcerowsecurity)";
    let mut open = raw::names(&tx, open).await?;
    open.sort_unstable();
    let of_no_tenant = [
        "identities",
        "known_places",
        "link_tokens",
        "mail_choices",
        "passkeys",
        "recovery_codes",
        "replicas",
        "schedule_fires",
        "seaql_migrations",
        "sessions",
        "settings",
        "sign_in_attempts",
        "totp_factors",
        "users",
    ];
    assert_eq!(open, of_no_tenant, "these belong to no tenant");
    let owned = "SELECT c.relname::text AS name FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner \
                 WHERE r.rolname IN ('keyway_app', 'keyway_system')";
    assert_eq!(raw::names(&tx, owned).await?, Vec::<String>::new());
    let strong = "SELECT rolname::text AS name FROM pg_roles WHERE rolname IN ('keyway_app', 'keyway_system') \
                  AND (rolbypassrls OR rolsuper OR rolcanlogin OR rolcreaterole)";
    assert_eq!(raw::names(&tx, strong).await?, Vec::<String>::new());
    let tx = fixture.store.tenant_read(fixture.tenant).await?;
    let reachable = "SELECT c.relname::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                     WHERE n.nspname = 'public' AND c.relkind = 'r' AND NOT c.relforcerowsecurity \
                     AND has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE')";
    assert_eq!(raw::names(&tx, reachable).await?, Vec::<String>::new(), "the app role has no way to them");
    Ok(())
}

#[tokio::test]
async fn an_unmigrated_database_is_told_from_a_missing_one() -> Result<()> {
    let database = TestDatabase::sqlite()?;
    let store = Store::connect(&database.url, DatabaseLimits::default()).await?;
    let unmigrated = store.ping().await.err().context("a missing schema must show")?;
    assert!(!unmigrated.is_retryable(), "{unmigrated}");
    let nobody = Store::connect("postgres://postgres@127.0.0.1:1/none", DatabaseLimits::default()).await;
    assert!(nobody.err().context("nobody answers there")?.is_retryable());
    assert!(Store::connect("mysql://localhost", DatabaseLimits::default()).await.is_err());
    Ok(())
}
