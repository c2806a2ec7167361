//! Runs the migrations, alone: everybody else waits, then finds nothing left to do.

use std::time::Duration;

use sea_orm_migration::{
    MigratorTrait,
    sea_orm::{
        ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
        SqliteTransactionMode, TransactionOptions, TransactionTrait, sqlx::sqlite::SqliteJournalMode,
    },
};

use crate::{Migrator, protect};

/// How long to wait for another process that is migrating.
const WAIT: Duration = Duration::from_secs(300);

/// Held while migrating; any number does that nothing else uses in this database.
const ADVISORY_LOCK: i64 = 0x6b65_7977_6179;

/// Why the schema could not be brought up to date. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database does not answer: check the URL, or wait.
    #[error("the database cannot be opened: {0}")]
    Connect(DbErr),
    /// A statement was refused: the login needs the right to create tables and, once per cluster, roles.
    #[error("a migration was refused: {0}")]
    Refused(DbErr),
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
    let pool = connect(url).await?;
    let result = migrate_alone(&pool).await;
    // The connection is of no use any more, whatever closing it says.
    let _ = pool.close().await;
    Ok(result?)
}

/// Whether the schema at `url` has every migration of this build. Changes nothing, but waits for a
/// process that is migrating.
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
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false).acquire_timeout(Duration::from_secs(15));
    options.map_sqlx_sqlite_opts(|sqlite| {
        sqlite.create_if_missing(true).journal_mode(SqliteJournalMode::Wal).busy_timeout(WAIT).foreign_keys(true)
    });
    Database::connect(options).await.map_err(MigrateError::Connect)
}

async fn migrate_alone(pool: &DatabaseConnection) -> Result<usize, DbErr> {
    let tx = begin_alone(pool).await?;
    if pool.get_database_backend() == DbBackend::Postgres {
        protect::create_roles(&tx).await?;
    }
    let pending = pending(&tx).await?;
    if pending > 0 {
        Migrator::up(&tx, None).await?;
    }
    tx.commit().await?;
    Ok(pending)
}

/// A transaction that no other process migrates beside.
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

/// How many of this build's migrations are not applied. Those of a newer build are its own affair: a process
/// that starts while it is rolled out, or after it was rolled back, finds all it needs.
async fn pending(tx: &DatabaseTransaction) -> Result<usize, DbErr> {
    let applied = Migrator::get_migration_models(tx).await?;
    let is_applied = |name: &str| applied.iter().any(|model| model.version == name);
    Ok(Migrator::migrations().iter().filter(|migration| !is_applied(migration.name())).count())
}
