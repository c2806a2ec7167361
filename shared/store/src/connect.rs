//! Connection pools and the transactions on them.
//!
//! PostgreSQL: one URL, two pools, each bound to its role for the life of a connection (`postgres.rs`). SQLite: one
//! writing connection, several reading ones. Neither logs statements or values.

use std::{sync::Arc, time::Duration};

use keyway_domain::{TenantId, Timestamp};
use keyway_vault::PostgresUrl;
use sea_orm::{
    ConnectOptions, Database,
    sqlx::{
        Connection as _,
        sqlite::{SqliteJournalMode, SqliteSynchronous},
    },
};
use tokio::sync::watch;

use crate::{
    StoreError, SystemTx, TenantTx, Wakeups,
    postgres::{self, Postgres},
    sql::shared_now,
    tx::{Mode, Pool},
};

/// Limits on one process' use of the database.
#[derive(Clone, Copy, Debug)]
pub struct DatabaseLimits {
    /// Connections of each of the two PostgreSQL pools; on SQLite, reading connections.
    pub connections: u32,
    /// Longest wait of a transaction for a connection.
    pub acquire_timeout: Duration,
    /// Longest run time of one statement (PostgreSQL only).
    pub statement_timeout: Duration,
}

impl Default for DatabaseLimits {
    fn default() -> Self {
        Self { connections: 8, acquire_timeout: Duration::from_secs(10), statement_timeout: Duration::from_secs(30) }
    }
}

/// Fill state of one pool.
#[derive(Clone, Copy, Debug)]
pub struct PoolState {
    /// The pool's name in metrics.
    pub name: &'static str,
    /// Open connections.
    pub open: u32,
    /// Open connections that are not in use.
    pub idle: u32,
}

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    tenant_write: Pool,
    tenant_read: Pool,
    system_write: Pool,
    system_read: Pool,
    committed: watch::Sender<u64>,
    postgres: Option<Arc<Postgres>>,
}

impl Store {
    /// Opens the pools. The schema must have been migrated already.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`] for any scheme but `postgres:` and `sqlite:`; [`StoreError::Unavailable`] if no host
    /// answers; [`StoreError::Setup`] if a role cannot be assumed.
    pub async fn connect(url: &str, limits: DatabaseLimits) -> Result<Self, StoreError> {
        let committed = watch::Sender::new(0);
        if PostgresUrl::is_one(url) {
            let postgres = Arc::new(Postgres::parse(url, limits)?);
            postgres.check().await?;
            let pool = async |role| Ok::<_, StoreError>(Pool::postgres(postgres.pool(role).await?, role, &postgres));
            let (tenant, system) = (pool(postgres::APP).await?, pool(postgres::SYSTEM).await?);
            return Ok(Self {
                tenant_write: tenant.clone(),
                tenant_read: tenant,
                system_write: system.clone(),
                system_read: system,
                committed,
                postgres: Some(postgres),
            });
        }
        if !url.starts_with("sqlite:") {
            return Err(StoreError::BadUrl("it must begin with postgres: or sqlite:"));
        }
        let write = Pool::sqlite(Database::connect(sqlite(url, limits, false)).await?);
        let read = Pool::sqlite(Database::connect(sqlite(url, limits, true)).await?);
        Ok(Self {
            tenant_write: write.clone(),
            tenant_read: read.clone(),
            system_write: write,
            system_read: read,
            committed,
            postgres: None,
        })
    }

    /// Begins a transaction that reads and writes the rows of one tenant.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if no connection was free in time.
    pub async fn tenant(&self, tenant_id: TenantId) -> Result<TenantTx, StoreError> {
        TenantTx::begin(&self.tenant_write, Mode::Write, self.committed.clone(), tenant_id).await
    }

    /// Begins a transaction that only reads the rows of one tenant.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if no connection was free in time.
    pub async fn tenant_read(&self, tenant_id: TenantId) -> Result<TenantTx, StoreError> {
        TenantTx::begin(&self.tenant_read, Mode::Read, self.committed.clone(), tenant_id).await
    }

    /// Begins a transaction that reads and writes across tenants.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if no connection was free in time.
    pub async fn system(&self) -> Result<SystemTx, StoreError> {
        SystemTx::begin(&self.system_write, Mode::Write, self.committed.clone()).await
    }

    /// Begins a transaction that only reads, across tenants.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if no connection was free in time.
    pub async fn system_read(&self) -> Result<SystemTx, StoreError> {
        SystemTx::begin(&self.system_read, Mode::Read, self.committed.clone()).await
    }

    /// Opens wake-ups for the relay of this process.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if no connection was free in time.
    pub async fn outbox_wakeups(&self) -> Result<Wakeups, StoreError> {
        match &self.postgres {
            // Where each transaction has another session, nobody can listen: the relay polls.
            Some(postgres) if !postgres.pools_transactions() => Wakeups::postgres(&self.system_read.connections).await,
            _ => Ok(Wakeups::local(self.committed.subscribe())),
        }
    }

    /// Returns the time by the clock that all processes share: PostgreSQL's; on SQLite this process' own.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the database does not answer.
    pub async fn now(&self) -> Result<Timestamp, StoreError> {
        if self.postgres.is_some() { shared_now(&self.system_read().await?).await } else { Ok(Timestamp::now()) }
    }

    /// Checks that the database answers, takes writes and has this build's schema.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the database does not answer or only reads, [`StoreError::Refused`] without the
    /// schema.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let tx = self.system_read().await?;
        crate::settings::find(&tx, "ping").await?;
        if self.postgres.is_none() {
            return Ok(());
        }
        postgres::takes_writes(&tx).await
    }

    /// Returns the fill state of each pool, for metrics.
    #[must_use]
    pub fn pools(&self) -> Vec<PoolState> {
        let state = |name, pool: &Pool| {
            let (open, idle) = if self.postgres.is_some() {
                let pool = pool.connections.get_postgres_connection_pool();
                (pool.size(), pool.num_idle())
            } else {
                let pool = pool.connections.get_sqlite_connection_pool();
                (pool.size(), pool.num_idle())
            };
            PoolState { name, open, idle: u32::try_from(idle).unwrap_or(u32::MAX) }
        };
        if self.postgres.is_some() {
            return vec![state("tenant", &self.tenant_write), state("system", &self.system_write)];
        }
        vec![state("write", &self.system_write), state("read", &self.system_read)]
    }

    /// Closes every connection; transactions under way end first.
    pub async fn close(self) {
        for pool in [self.tenant_write, self.tenant_read, self.system_write, self.system_read] {
            // Closing a pool twice is no error, and there is nobody left to tell.
            let _ = pool.connections.close().await;
        }
    }
}

fn sqlite(url: &str, limits: DatabaseLimits, read_only: bool) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options.max_connections(if read_only { limits.connections.max(1) } else { 1 });
    options.acquire_timeout(limits.acquire_timeout).sqlx_logging(false);
    let busy_timeout = limits.acquire_timeout;
    options.map_sqlx_sqlite_opts(move |sqlite| {
        let sqlite = sqlite
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(if read_only { SqliteSynchronous::Normal } else { SqliteSynchronous::Full })
            .busy_timeout(busy_timeout)
            .foreign_keys(true);
        if read_only { sqlite.pragma("query_only", "on") } else { sqlite }
    });
    // A full disk makes SQLite roll back by itself; sqlx then counts a transaction that is no more, and what comes
    // next would be part of one that nobody ever commits. The pool replaces such a connection.
    options.map_sqlx_sqlite_before_acquire(|connection, _| {
        let whole = !connection.is_in_transaction();
        Box::pin(std::future::ready(Ok(whole)))
    });
    options
}
