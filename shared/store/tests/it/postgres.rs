//! PostgreSQL as operated in practice: logins without the roles, read-only servers, several hosts, poolers, TLS.

use std::{net::SocketAddr, path::Path, process::Command, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use keyway_domain::TenantId;
use keyway_store::{DatabaseLimits, Store, StoreError, raw, settings, tenants};
use keyway_testkit::{
    fault_proxy::{FaultProxy, Weather},
    postgres::TestDatabase,
    private_postgres::PrivatePostgres,
};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DbBackend, Statement};
use tokio::time::Instant;

use crate::{fixture::NOW, transaction_pooler};

const PATIENCE: Duration = Duration::from_secs(20);

/// Runs statements as a superuser.
async fn administer(url: &str, statements: &[&str]) -> Result<()> {
    let mut one = ConnectOptions::new(url);
    one.max_connections(1).sqlx_logging(false);
    let connection = Database::connect(one).await?;
    // Whatever the sessions of the database are made to do.
    connection.execute_unprepared("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE").await?;
    for statement in statements {
        connection.execute_unprepared(statement).await?;
    }
    Ok(connection.close().await?)
}

fn address(url: &str) -> Result<SocketAddr> {
    Ok(url.split(['@', '/']).nth(3).context("a URL with a login")?.parse()?)
}

async fn write(store: &Store) -> Result<(), StoreError> {
    let tx = store.system().await?;
    settings::put(&tx, "written", "now").await?;
    tx.commit().await
}

/// Waits until an attempt succeeds; it may only fail with `Unavailable`.
async fn until_it_works(what: &str, mut attempt: impl AsyncFnMut() -> Result<(), StoreError>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match attempt().await {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() < deadline => {
                ensure!(error.is_retryable(), "{what}: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error) => bail!("{what}: {error}"),
        }
    }
}

#[tokio::test]
async fn a_login_that_may_not_take_on_the_roles_is_told_what_to_grant() -> Result<()> {
    let database = TestDatabase::postgres().await?;
    keyway_migrations::migrate(&database.url).await?;
    let login = format!("stranger_{:08x}", fastrand::u32(..));
    administer(&database.superuser_url(), &[&format!("CREATE ROLE {login} LOGIN")]).await?;
    let url = database.url.replacen("//keyway@", &format!("//{login}@"), 1);
    let refused = Store::connect(&url, DatabaseLimits::default()).await.err();
    administer(&database.superuser_url(), &[&format!("DROP ROLE {login}")]).await?;
    let Some(StoreError::Setup(why)) = refused else { bail!("it was not refused: {refused:?}") };
    ensure!(why.contains("GRANT keyway_app, keyway_system") && why.contains("WITH SET TRUE, INHERIT FALSE"), "{why}");
    Ok(())
}

#[tokio::test]
async fn a_login_that_the_server_refuses_is_away_and_no_defect() -> Result<()> {
    let database = TestDatabase::postgres().await?;
    let url = database.url.replacen("//keyway@", "//nobody_of_that_name:S3CRET@", 1);
    let refused = Store::connect(&url, DatabaseLimits::default()).await.err().context("it was let in")?;
    ensure!(refused.is_retryable() && !refused.to_string().contains("S3CRET"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn a_session_that_only_reads_is_left_for_a_new_one() -> Result<()> {
    let database = TestDatabase::postgres().await?;
    keyway_migrations::migrate(&database.url).await?;
    database.only_reads(true).await?;
    // Its sessions begin while the server only reads, and stay as they are when it does not any more.
    let store = Store::connect(&database.url, DatabaseLimits::default()).await?;
    let refused = write(&store).await.err().context("it took a write")?;
    ensure!(refused.is_retryable(), "{refused}");
    let unready = store.ping().await.err().context("a server that only reads is no place to work")?;
    ensure!(unready.is_retryable() && unready.to_string().contains("only reads"), "{unready}");
    let missing = absent(&store).await.err().context("what is missing there may have come elsewhere")?;
    ensure!(missing.is_retryable(), "{missing}");
    database.only_reads(false).await?;
    until_it_works("a write", async || write(&store).await).await?;
    until_it_works("ready again", async || store.ping().await).await?;
    until_it_works("what is missing is nowhere", async || absent(&store).await).await
}

/// Asks, like a handler that found no row, whether the absence is reliable.
async fn absent(store: &Store) -> Result<(), StoreError> {
    store.tenant_read(TenantId::new()).await?.ensure_current().await
}

#[tokio::test]
async fn another_host_takes_over_and_one_that_only_reads_is_passed_over() -> Result<()> {
    let database = TestDatabase::postgres().await?;
    let (server, name) = (address(&database.url)?, database.url.rsplit('/').next().context("a name")?);
    let standby = PrivatePostgres::start().await?;
    let create = format!("CREATE DATABASE {name}");
    let refuse = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    administer(&standby.url, &["CREATE ROLE keyway LOGIN", &create, &refuse]).await?;
    let (first, second) = (FaultProxy::start(server).await?, FaultProxy::start(server).await?);
    let hosts = format!("127.0.0.1:1,{},{},{}", address(&standby.url)?, first.address, second.address);
    let url = format!("postgres://keyway@{hosts}/{name}?target_session_attrs=read-write");

    ensure!(keyway_migrations::migrate(&url).await? > 0);
    let store = Store::connect(&url, DatabaseLimits::default()).await?;
    write(&store).await?;
    ensure!(first.connections() > 0 && second.connections() == 0, "the first that can be used is used");
    first.set(Weather { down: true, ..Weather::default() });
    until_it_works("a write at the next host", async || write(&store).await).await?;
    ensure!(second.connections() > 0);
    first.heal();
    second.set(Weather { holds_answers: true, ..Weather::default() });
    second.reset();
    until_it_works("a write although a host is silent", async || write(&store).await).await
}

#[tokio::test]
async fn behind_a_pooler_of_transactions_each_sets_what_it_needs() -> Result<()> {
    let database = TestDatabase::postgres().await?;
    keyway_migrations::migrate(&database.url).await?;
    let store = Store::connect(&format!("{}?pool_mode=transaction", database.url), DatabaseLimits::default()).await?;
    let tx = store.system().await?;
    let tenant = tenants::insert(&tx, "first", NOW).await?.id;
    let other = tenants::insert(&tx, "second", NOW).await?.id;
    ensure!(raw::names(&tx, "SELECT current_user::text AS name").await? == ["keyway_system"]);
    tx.commit().await?;
    let tx = store.tenant(tenant).await?;
    ensure!(raw::names(&tx, "SELECT current_user::text AS name").await? == ["keyway_app"]);
    ensure!(raw::number(&tx, "SELECT count(*) AS n FROM tenants").await? == 1, "it sees its own row alone");
    ensure!(raw::names(&tx, "SELECT current_setting('statement_timeout') AS name").await? == ["30s"]);
    tx.commit().await?;
    let tx = store.tenant_read(other).await?;
    ensure!(raw::number(&tx, "SELECT count(*) AS n FROM tenants").await? == 1);
    drop(tx);
    // Nothing listens: a wake-up comes from this process alone.
    let mut wakeups = store.outbox_wakeups().await?;
    let woken = tokio::time::timeout(Duration::from_millis(100), wakeups.next()).await;
    ensure!(woken.is_err(), "nothing was committed");
    Ok(())
}

#[tokio::test]
async fn a_pooler_of_transactions_that_nobody_named_is_refused() -> Result<()> {
    let database = TestDatabase::postgres().await?;
    keyway_migrations::migrate(&database.url).await?;
    let pooler = transaction_pooler::start(address(&database.url)?).await?;
    let url = database.url.replacen(&address(&database.url)?.to_string(), &pooler.to_string(), 1);
    let refused = Store::connect(&url, DatabaseLimits::default()).await.err();
    let Some(StoreError::Setup(why)) = refused else { bail!("it was not refused: {refused:?}") };
    ensure!(why.contains("pool_mode=transaction"), "{why}");
    Ok(())
}

#[tokio::test]
async fn no_transaction_of_a_tenant_runs_in_another_role() -> Result<()> {
    let database = TestDatabase::postgres().await?;
    keyway_migrations::migrate(&database.url).await?;
    let limits = DatabaseLimits { connections: 2, ..DatabaseLimits::default() };
    let store = Store::connect(&database.url, limits).await?;
    let tenant = TenantId::new();
    // What a pooler does that gives a session to another client in between.
    for _ in 0..2 {
        let tx = store.tenant(tenant).await?;
        raw::execute(&tx, "SELECT set_config('role', 'none', false)").await?;
        tx.commit().await?;
    }
    let refused = store.tenant(tenant).await.err().context("row-level security was off")?;
    ensure!(refused.is_retryable() && refused.to_string().contains("not in the role"), "{refused}");
    until_it_works("a session in its role", async || store.tenant(tenant).await.map(drop)).await
}

#[tokio::test]
async fn a_connection_over_tls_is_encrypted_and_its_certificate_checked() -> Result<()> {
    let server = PrivatePostgres::start().await?;
    let certificates = server.directory().join("tls");
    std::fs::create_dir_all(&certificates)?;
    certificate(&certificates, &server.directory().join("data"))?;
    administer(
        &server.url,
        &["CREATE ROLE keyway LOGIN SUPERUSER", "ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()"],
    )
    .await?;
    let url = server.url.replacen("//postgres@127.0.0.1", "//keyway@localhost", 1);
    let authority = certificates.join("ca.crt");
    let trusted = format!("{url}?sslmode=verify-full&sslrootcert={}", authority.display());
    // The setting is taken a moment after it was said to be read.
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = keyway_migrations::migrate(&trusted).await {
        ensure!(Instant::now() < deadline, "{error}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for url in [format!("{url}?sslmode=require"), trusted] {
        let store = Store::connect(&url, DatabaseLimits::default()).await?;
        store.ping().await?;
        let sessions = "SELECT count(*) FILTER (WHERE ssl) AS encrypted, count(*) FILTER (WHERE NOT ssl) AS plain \
                        FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'keyway'";
        let administrator = Database::connect(&server.url).await?;
        let row = administrator.query_one_raw(Statement::from_string(DbBackend::Postgres, sessions)).await?;
        let row = row.context("no answer")?;
        let (encrypted, plain): (i64, i64) = (row.try_get("", "encrypted")?, row.try_get("", "plain")?);
        ensure!(encrypted >= 2 && plain == 0, "{url}: {encrypted} encrypted, {plain} plain");
        store.close().await;
    }
    let unknown = Store::connect(&format!("{url}?sslmode=verify-full"), DatabaseLimits::default()).await;
    let why = unknown.err().context("a certificate that nobody vouches for was taken")?.to_string();
    ensure!(why.contains("ertificate") || why.contains("UnknownIssuer"), "{why}");
    Ok(())
}

/// Makes an authority and the server's certificate for `localhost`.
fn certificate(directory: &Path, data: &Path) -> Result<()> {
    let script = "set -e; cd \"$1\"
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.crt
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -keyout server.key -out server.csr
        printf 'subjectAltName=DNS:localhost\\nbasicConstraints=CA:FALSE\\n' > extensions
        openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile extensions -out server.crt
        cp server.crt server.key \"$2\"; chmod 600 \"$2/server.key\"
        chown --reference=\"$2/PG_VERSION\" \"$2/server.crt\" \"$2/server.key\"";
    let made = Command::new("sh").args(["-c", script, "sh"]).args([directory, data]).output()?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Ok(())
}
