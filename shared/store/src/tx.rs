//! Transactions: the only access to a connection. A tenant's transaction has told the database its tenant.
//!
//! Dropping a transaction rolls it back.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use keyway_domain::TenantId;
use sea_orm::{
    AccessMode, DatabaseConnection, DatabaseTransaction, DbErr, FromQueryResult, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};
use tokio::sync::watch;

use crate::{
    StoreError,
    postgres::{self, Postgres},
    sql::Sql,
};

pub(crate) mod sealed {
    use sea_orm::DatabaseTransaction;

    pub trait Inner {
        fn db(&self) -> &DatabaseTransaction;
        fn is_postgres(&self) -> bool;
        fn wrote_outbox(&self);
    }
}

/// A transaction of either kind, for queries that serve both.
pub trait Tx: sealed::Inner + Send + Sync {}

/// A transaction that sees the rows of one tenant.
pub struct TenantTx {
    open: Open,
    tenant_id: TenantId,
}

/// A transaction that sees every tenant: for relay, schedules, writers and sign-in.
pub struct SystemTx(Open);

/// Access mode of a transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Read,
    Write,
}

/// Connections of one kind, and the settings that each transaction on one of them makes first.
#[derive(Clone)]
pub(crate) struct Pool {
    pub(crate) connections: DatabaseConnection,
    postgres: Option<(Arc<Postgres>, &'static str)>,
}

impl Pool {
    pub(crate) const fn sqlite(connections: DatabaseConnection) -> Self {
        Self { connections, postgres: None }
    }

    pub(crate) fn postgres(connections: DatabaseConnection, role: &'static str, postgres: &Arc<Postgres>) -> Self {
        Self { connections, postgres: Some((Arc::clone(postgres), role)) }
    }

    /// Returns the settings that each transaction makes for itself, with a trailing comma.
    fn settings(&self) -> String {
        self.postgres.as_ref().map_or_else(String::new, |(postgres, role)| postgres.transaction_settings(role))
    }
}

#[derive(FromQueryResult)]
struct Who {
    role: String,
}

impl TenantTx {
    /// Returns the tenant whose rows the transaction sees.
    #[must_use]
    pub const fn tenant_id(&self) -> TenantId {
        self.tenant_id
    }

    /// Commits the transaction.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: the outcome of the commit is unknown; every write has a natural key.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.open.commit().await
    }

    /// Checks that a row that was not found does not exist: a session opened before its server was demoted misses later
    /// rows.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the session may be out of date.
    pub async fn ensure_current(&self) -> Result<(), StoreError> {
        if self.open.postgres { postgres::takes_writes(self).await } else { Ok(()) }
    }

    pub(crate) async fn begin(
        pool: &Pool,
        mode: Mode,
        committed: watch::Sender<u64>,
        tenant_id: TenantId,
    ) -> Result<Self, StoreError> {
        let tx = Self { open: Open::begin(pool, mode, committed).await?, tenant_id };
        if tx.open.postgres {
            let tenant = tenant_id.uuid().to_string();
            let settings = pool.settings();
            let set = format!("SELECT {settings}set_config('keyway.tenant_id', $1, true), current_user::text AS role");
            let who: Vec<Who> = Sql::with(&set, [tenant.into()]).rows(&tx).await?;
            // In any other role row-level security would not bind the transaction to the tenant.
            if who.first().is_none_or(|who| who.role != postgres::APP) {
                postgres::distrust_sessions();
                let why = "a session is not in the role it was put in: a pooler in between must keep sessions apart";
                return Err(StoreError::Unavailable(DbErr::Custom(why.to_owned())));
            }
        }
        Ok(tx)
    }
}

impl SystemTx {
    /// Commits the transaction.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: the outcome of the commit is unknown; every write has a natural key.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.0.commit().await
    }

    pub(crate) async fn begin(pool: &Pool, mode: Mode, committed: watch::Sender<u64>) -> Result<Self, StoreError> {
        let tx = Self(Open::begin(pool, mode, committed).await?);
        let settings = pool.settings();
        if !settings.is_empty() {
            Sql::new(&format!("SELECT {}", settings.trim_end_matches([',', ' ']))).run(&tx).await?;
        }
        Ok(tx)
    }
}

impl Tx for TenantTx {}
impl Tx for SystemTx {}

impl sealed::Inner for TenantTx {
    fn db(&self) -> &DatabaseTransaction {
        &self.open.tx
    }

    fn is_postgres(&self) -> bool {
        self.open.postgres
    }

    fn wrote_outbox(&self) {
        self.open.wrote_outbox.store(true, Ordering::Relaxed);
    }
}

impl sealed::Inner for SystemTx {
    fn db(&self) -> &DatabaseTransaction {
        &self.0.tx
    }

    fn is_postgres(&self) -> bool {
        self.0.postgres
    }

    fn wrote_outbox(&self) {
        self.0.wrote_outbox.store(true, Ordering::Relaxed);
    }
}

struct Open {
    tx: DatabaseTransaction,
    postgres: bool,
    wrote_outbox: AtomicBool,
    committed: watch::Sender<u64>,
}

impl Open {
    async fn begin(pool: &Pool, mode: Mode, committed: watch::Sender<u64>) -> Result<Self, StoreError> {
        let postgres = pool.postgres.is_some();
        let options = TransactionOptions {
            access_mode: (postgres && mode == Mode::Read).then_some(AccessMode::ReadOnly),
            sqlite_transaction_mode: (mode == Mode::Write).then_some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        let tx = match &pool.postgres {
            Some((postgres, _)) => postgres.begin(&pool.connections, options).await?,
            None => pool.connections.begin_with_options(options).await?,
        };
        Ok(Self { tx, postgres, wrote_outbox: AtomicBool::new(false), committed })
    }

    async fn commit(self) -> Result<(), StoreError> {
        self.tx.commit().await?;
        if self.wrote_outbox.into_inner() {
            self.committed.send_modify(|commits| *commits = commits.wrapping_add(1));
        }
        Ok(())
    }
}
