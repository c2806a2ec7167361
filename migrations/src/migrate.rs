//! Runs the migrations under a lock: other processes wait, then find nothing left to do.

use std::time::Duration;

use keyway_vault::PostgresUrl;
use sea_orm_migration::{
    MigratorTrait,
    sea_orm::{
        ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
        RuntimeErr, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
        sqlx::{ConnectOptions as _, postgres::PgConnectOptions, sqlite::SqliteJournalMode},
    },
};

use crate::{migrator::Migrator, protect};

/// Longest wait for another process that is migrating.
const WAIT: Duration = Duration::from_secs(300);

/// Time that a server has to answer.
const CONNECT: Duration = Duration::from_secs(15);
/// Time that one of several hosts has to answer, which leaves time for the others.
const CONNECT_TO_ONE_OF_SEVERAL: Duration = Duration::from_secs(4);

/// Key of the advisory lock held while migrating; nothing else uses it in this database.
const ADVISORY_LOCK: i64 = 0x6b65_7977_6179;

/// Patience with transactions that hold a table which a migration changes. PostgreSQL lets nobody, not even a reader, past
/// a migration that waits for such a table: so each wait is short, and the whole is repeated.
#[derive(Clone, Copy, Debug)]
pub struct LockWaits {
    /// Longest wait for one lock.
    pub each: Duration,
    /// Number of attempts before the migration gives up.
    pub attempts: u32,
    /// Time between two attempts, in which the readers that waited behind one run.
    pub pause: Duration,
}

impl Default for LockWaits {
    fn default() -> Self {
        Self { each: Duration::from_secs(2), attempts: 20, pause: Duration::from_secs(3) }
    }
}

/// Reason why the schema could not be brought up to date. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database does not answer: check the URL, or wait.
    #[error("the database cannot be opened: {0}")]
    Connect(DbErr),
    /// The database URL is not usable: fix the setting.
    #[error("the database URL is not usable: {0}")]
    BadUrl(&'static str),
    /// A statement was refused: the login needs the right to create tables and, once per cluster, roles.
    #[error("a migration was refused: {0}")]
    Refused(DbErr),
    /// A table that a migration changes stayed locked at every attempt: end the transaction that holds it.
    #[error(
        "another transaction held a table that a migration changes at each of {0} attempts; nothing was changed: end \
         that transaction and migrate again"
    )]
    Locked(u32),
}

impl From<DbErr> for MigrateError {
    fn from(error: DbErr) -> Self {
        Self::Refused(error)
    }
}

/// Brings the schema at `url` up to date and returns how many migrations that took. All or none
/// are applied. A schema that a newer build has migrated further is up to date.
///
/// # Errors
/// See [`MigrateError`].
pub async fn migrate(url: &str) -> Result<usize, MigrateError> {
    migrate_patiently(url, LockWaits::default()).await
}

/// Works like [`migrate`], with another patience.
///
/// # Errors
/// See [`MigrateError`].
pub async fn migrate_patiently(url: &str, waits: LockWaits) -> Result<usize, MigrateError> {
    let pool = connect(url).await?;
    let result = migrate_repeatedly(&pool, waits).await;
    // The connection is of no use any more, whatever closing it says.
    let _ = pool.close().await;
    result
}

/// Returns `true` if the schema at `url` has every migration of this build. Changes nothing, but waits for a process
/// that is migrating.
///
/// # Errors
/// See [`MigrateError`].
pub async fn is_current(url: &str) -> Result<bool, MigrateError> {
    let pool = connect(url).await?;
    let pending = match begin_alone(&pool).await {
        Ok(tx) => pending(&tx).await,
        Err(error) => Err(error),
    };
    let _ = pool.close().await;
    Ok(pending? == 0)
}

async fn connect(url: &str) -> Result<DatabaseConnection, MigrateError> {
    if PostgresUrl::is_one(url) {
        return postgres(&PostgresUrl::parse(url).map_err(|fault| MigrateError::BadUrl(fault.0))?).await;
    }
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false).acquire_timeout(CONNECT);
    options.map_sqlx_sqlite_opts(|sqlite| {
        sqlite.create_if_missing(true).journal_mode(SqliteJournalMode::Wal).busy_timeout(WAIT).foreign_keys(true)
    });
    Database::connect(options).await.map_err(MigrateError::Connect)
}

/// Connects to the first host that answers and, where the URL demands it, takes writes.
async fn postgres(url: &PostgresUrl) -> Result<DatabaseConnection, MigrateError> {
    let each_host = url.each_host();
    let wait = if each_host.len() > 1 { CONNECT_TO_ONE_OF_SEVERAL } else { CONNECT };
    let mut failed = MigrateError::BadUrl("it names no host");
    for one in each_host {
        // The driver's own error may quote what it could not read.
        let parsed = one.plain().parse::<PgConnectOptions>();
        let parsed = parsed.map_err(|_| MigrateError::BadUrl("a parameter behind its ? does not fit"))?;
        // Poolers refuse startup parameters they do not know.
        let parsed = parsed.extra_float_digits(None).disable_statement_logging();
        // The URL that counts has become options; this one is never connected to.
        let mut options = ConnectOptions::new("postgres://localhost");
        options.max_connections(1).sqlx_logging(false).acquire_timeout(wait);
        options.map_sqlx_postgres_opts(move |_| parsed.clone());
        match Database::connect(options).await {
            Ok(pool) if url.must_write && reads_only(&pool).await.map_err(MigrateError::Connect)? => {
                failed = MigrateError::Connect(DbErr::Custom("the server only reads".to_owned()));
            }
            Ok(pool) => return Ok(pool),
            Err(error) => failed = MigrateError::Connect(error),
        }
    }
    Err(failed)
}

async fn reads_only(pool: &DatabaseConnection) -> Result<bool, DbErr> {
    let question = "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' AS reads_only";
    let row = pool.query_one_raw(Statement::from_string(DbBackend::Postgres, question)).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("no answer".to_owned()))?.try_get("", "reads_only")
}

async fn migrate_repeatedly(pool: &DatabaseConnection, waits: LockWaits) -> Result<usize, MigrateError> {
    for attempt in 1..=waits.attempts {
        match migrate_alone(pool, waits.each).await {
            Err(error) if is_lock_timeout(&error) => {
                tracing::warn!(
                    attempt,
                    attempts = waits.attempts,
                    "another transaction holds a table that a migration changes"
                );
                if attempt < waits.attempts {
                    tokio::time::sleep(waits.pause).await;
                }
            }
            result => return Ok(result?),
        }
    }
    Err(MigrateError::Locked(waits.attempts))
}

async fn migrate_alone(pool: &DatabaseConnection, lock_wait: Duration) -> Result<usize, DbErr> {
    let tx = begin_alone(pool).await?;
    match apply(&tx, lock_wait).await {
        Ok(applied) => tx.commit().await.map(|()| applied),
        Err(error) => {
            // Every lock is free before the next attempt, also that of processes that migrate; the error says more than
            // a rollback that fails.
            let _ = tx.rollback().await;
            Err(error)
        }
    }
}

async fn apply(tx: &DatabaseTransaction, lock_wait: Duration) -> Result<usize, DbErr> {
    let is_postgres = tx.get_database_backend() == DbBackend::Postgres;
    if is_postgres {
        protect::create_roles(tx).await?;
    }
    let pending = pending(tx).await?;
    if pending > 0 {
        if is_postgres {
            // From here on: before, it waited for other processes that migrate, behind which nobody else waits.
            tx.execute_unprepared(&format!("SET LOCAL lock_timeout = {}", lock_wait.as_millis())).await?;
        }
        Migrator::up(tx, None).await?;
    }
    Ok(pending)
}

/// Returns `true` for PostgreSQL's `lock_not_available`.
fn is_lock_timeout(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) = error else {
        return false;
    };
    error.as_database_error().and_then(|error| error.code()).as_deref() == Some("55P03")
}

/// Begins a transaction that holds the lock, so that no other process migrates at the same time.
async fn begin_alone(pool: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let tx = pool.begin_with_options(options).await?;
    if pool.get_database_backend() == DbBackend::Postgres {
        tx.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({ADVISORY_LOCK})")).await?;
    }
    Ok(tx)
}

/// Counts this build's migrations that are not applied. Those of a newer build are ignored: a process that starts while
/// that build is rolled out, or after it was rolled back, finds all it needs.
async fn pending(tx: &DatabaseTransaction) -> Result<usize, DbErr> {
    let applied = Migrator::get_migration_models(tx).await?;
    let is_applied = |name: &str| applied.iter().any(|model| model.version == name);
    Ok(Migrator::migrations().iter().filter(|migration| !is_applied(migration.name())).count())
}
