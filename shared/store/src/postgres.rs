//! Connections to PostgreSQL: choice of the host, and the role of each pool.
//!
//! A connection that is not in the role of its pool is never handed out: without it, row-level security would let a
//! tenant see every row. Never shows or logs a URL.

use std::{
    convert::Infallible,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use keyway_vault::PostgresUrl;
use sea_orm::{
    Database, DatabaseConnection, DatabaseTransaction, DbErr, TransactionOptions, TransactionTrait,
    sqlx::{
        self, AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, PgPool, Row as _,
        postgres::PgConnectOptions,
    },
};
use tokio::time::timeout;

use crate::{DatabaseLimits, StoreError, Tx, distrust, pooler, sql::Sql};

/// Role limited to one tenant by row-level security.
pub(crate) const APP: &str = "keyway_app";
/// Role of relay, writers, schedules and sign-in, which sees all tenants.
pub(crate) const SYSTEM: &str = "keyway_system";

/// Time that one host has to answer before the next one is tried.
const ASK: Duration = Duration::from_secs(2);
/// Wait of a transaction after which another of several hosts is looked for, and the interval of further looks.
const SLOW: Duration = Duration::from_millis(500);
const TAKES_NO_WRITES: &str = "pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'";

/// Asks the server whether it takes writes; the transaction itself may only read.
///
/// # Errors
/// [`StoreError::Unavailable`] if it does not: its sessions are replaced.
pub(crate) async fn takes_writes(tx: &impl Tx) -> Result<(), StoreError> {
    let reads_only = "SELECT CAST(pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on' \
                      AS INT)::BIGINT AS n";
    if Sql::new(reads_only).number(tx).await? == 0 {
        return Ok(());
    }
    distrust::distrust_sessions();
    Err(StoreError::Unavailable(DbErr::Custom("the server only reads: it is a standby, or made to".to_owned())))
}

/// One database on one or more hosts.
pub(crate) struct Postgres {
    url: PostgresUrl,
    each_host: Vec<PgConnectOptions>,
    /// Index of the host for new connections; `next` is the one to ask if it does not answer.
    current: AtomicUsize,
    next: AtomicUsize,
    looking: tokio::sync::Mutex<()>,
    pools: Mutex<Vec<PgPool>>,
    limits: DatabaseLimits,
}

impl Postgres {
    pub(crate) fn parse(url: &str, limits: DatabaseLimits) -> Result<Self, StoreError> {
        let url = PostgresUrl::parse(url).map_err(|fault| StoreError::BadUrl(fault.0))?;
        let each_host = url.each_host().into_iter().map(|url| {
            // The driver's own error may quote what it could not read.
            let options: PgConnectOptions = url.plain().parse().map_err(|_| {
                StoreError::BadUrl("it is not postgres://user:password@host:port/name with parameters that fit")
            })?;
            // Poolers refuse startup parameters they do not know; everything else is set in the session.
            let options = options.extra_float_digits(None).disable_statement_logging();
            Ok(if options.get_application_name().is_none() { options.application_name("keyway") } else { options })
        });
        Ok(Self {
            each_host: each_host.collect::<Result<_, StoreError>>()?,
            url,
            current: AtomicUsize::new(0),
            next: AtomicUsize::new(0),
            looking: tokio::sync::Mutex::new(()),
            pools: Mutex::new(Vec::new()),
            limits,
        })
    }

    /// Returns `true` if a pooler gives each transaction another session, so that settings last for one transaction
    /// only.
    pub(crate) const fn pools_transactions(&self) -> bool {
        self.url.pools_transactions
    }

    /// Finds a host that answers, and checks that both roles can be assumed and persist.
    pub(crate) async fn check(&self) -> Result<(), StoreError> {
        let mut connection = self.first_usable().await?;
        let options = self.options();
        if !self.pools_transactions() && pooler::mixes_sessions(&mut connection, &options).await? {
            return Err(StoreError::Setup(
                "a pooler gives each transaction another session; say so with ?pool_mode=transaction in the URL, or \
                 set pool_mode = session in the pooler"
                    .to_owned(),
            ));
        }
        for role in [APP, SYSTEM] {
            let take = format!("BEGIN; SET LOCAL ROLE {role}; ROLLBACK");
            connection.execute(AssertSqlSafe(take)).await.map_err(|error| refused_role(role, error))?;
        }
        // It ends anyway, whatever closing it says.
        let _ = connection.close().await;
        Ok(())
    }

    /// Opens a pool whose connections are all in one role.
    pub(crate) async fn pool(&self, role: &'static str) -> Result<DatabaseConnection, StoreError> {
        let options = self.options();
        // The URL that counts has become options; this one is never connected to.
        let mut pool = sea_orm::ConnectOptions::new("postgres://localhost");
        pool.max_connections(self.limits.connections.max(2)).acquire_timeout(self.limits.acquire_timeout);
        pool.sqlx_logging(false).map_sqlx_postgres_opts(move |_| options.clone());
        let (must_write, is_kept) = (self.url.must_write, !self.pools_transactions());
        let enter_with = match (is_kept, must_write) {
            (true, _) => Some(self.session(role)),
            (false, true) => Some(format!("SELECT '{role}', {TAKES_NO_WRITES}")),
            (false, false) => None,
        };
        pool.map_sqlx_postgres_pool_opts(move |pool| {
            let Some(enter_with) = enter_with.clone() else { return pool };
            pool.after_connect(move |connection, _| {
                let enter_with = enter_with.clone();
                Box::pin(async move { enter(connection, enter_with, role, must_write).await })
            })
        });
        pool.map_sqlx_postgres_before_acquire(|_, connection| {
            let suspected = distrust::last();
            let is_new = suspected.is_none_or(|at| connection.age < at.elapsed());
            Box::pin(std::future::ready(Ok(is_new)))
        });
        let pool = Database::connect(pool).await?;
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.push(pool.get_postgres_connection_pool().clone());
        Ok(pool)
    }

    /// Begins a transaction; if the host in use does not answer, on another one.
    pub(crate) async fn begin(
        &self,
        pool: &DatabaseConnection,
        options: TransactionOptions,
    ) -> Result<DatabaseTransaction, DbErr> {
        if self.each_host.len() == 1 {
            return pool.begin_with_options(options).await;
        }
        let begun = tokio::select! {
            begun = pool.begin_with_options(options) => begun,
            never = self.keep_looking() => match never {},
        };
        if begun.is_err() && self.look().await {
            return pool.begin_with_options(options).await;
        }
        begun
    }

    /// Returns the settings that each transaction must repeat behind a pooler, as `set_config` calls, each with a
    /// trailing comma.
    pub(crate) fn transaction_settings(&self, role: &str) -> String {
        if !self.pools_transactions() {
            return String::new();
        }
        let set = |(name, value): (&str, String)| format!("set_config('{name}', '{value}', true), ");
        [("role", role.to_owned())].into_iter().chain(self.settings()).map(set).collect()
    }

    fn session(&self, role: &str) -> String {
        let set = |(name, value)| format!("SET {name} = '{value}'; ");
        let settings: String = self.settings().into_iter().map(set).collect();
        format!("SET ROLE {role}; {settings}SELECT current_user::text, {TAKES_NO_WRITES}")
    }

    fn settings(&self) -> [(&'static str, String); 4] {
        let timeout_ms = self.limits.statement_timeout.as_millis();
        [
            ("statement_timeout", timeout_ms.to_string()),
            ("idle_in_transaction_session_timeout", timeout_ms.to_string()),
            // Queues fill and empty faster than PostgreSQL counts their rows. Without knowing, it prefers to read and
            // sort all that waits over taking the few that are asked for in the order of an index.
            ("enable_bitmapscan", "off".to_owned()),
            // A statement that is used again keeps one plan for all its values. One made while a queue is empty reads
            // the whole table, and every dead row in it, for as long as the connection lives.
            ("plan_cache_mode", "force_custom_plan".to_owned()),
        ]
    }

    fn options(&self) -> PgConnectOptions {
        self.each_host[self.current.load(Ordering::Relaxed)].clone()
    }

    async fn first_usable(&self) -> Result<PgConnection, StoreError> {
        let mut why = StoreError::BadUrl("it names no host");
        for at in 0..self.each_host.len() {
            match self.usable(at).await {
                Ok(connection) => {
                    self.current.store(at, Ordering::Relaxed);
                    self.next.store(at, Ordering::Relaxed);
                    return Ok(connection);
                }
                Err(error) => why = error.into(),
            }
        }
        Err(why)
    }

    /// Returns a connection to a host, if it answers and, where the URL demands it, takes writes.
    async fn usable(&self, at: usize) -> Result<PgConnection, sqlx::Error> {
        let ask = async {
            let mut connection = self.each_host[at].connect().await?;
            if self.url.must_write {
                let question = format!("SELECT {TAKES_NO_WRITES}");
                let answer = connection.fetch_one(AssertSqlSafe(question)).await?;
                if answer.try_get(0)? {
                    return Err(sqlx::Error::PoolTimedOut);
                }
            }
            Ok(connection)
        };
        timeout(ASK, ask).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    /// Looks for a better host than the one in use, until dropped.
    async fn keep_looking(&self) -> Infallible {
        loop {
            tokio::time::sleep(SLOW).await;
            self.look().await;
        }
    }

    /// Asks the hosts in turn and directs new connections to the first usable one. Returns `true` if the host changed.
    async fn look(&self) -> bool {
        let Ok(_turn) = self.looking.try_lock() else { return false };
        for _ in 0..self.each_host.len() {
            // Counted before it is asked: whoever is called off while a host is silent leaves the next one to the next.
            let at = self.next.fetch_add(1, Ordering::Relaxed) % self.each_host.len();
            if self.usable(at).await.is_err() {
                continue;
            }
            self.next.store(at, Ordering::Relaxed);
            let moved = self.current.swap(at, Ordering::Relaxed) != at;
            if moved {
                tracing::warn!(host = self.url.host(at), "the database is used at another of its hosts from now on");
                for pool in self.pools.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                    pool.set_connect_options(self.each_host[at].clone());
                }
                distrust::distrust_sessions();
            }
            return moved;
        }
        false
    }
}

/// Puts a new connection into its role, where sessions outlast a transaction, and refuses one that cannot be.
async fn enter(
    connection: &mut PgConnection,
    enter_with: String,
    role: &'static str,
    must_write: bool,
) -> Result<(), sqlx::Error> {
    let row = connection.fetch_one(AssertSqlSafe(enter_with)).await?;
    let (is, reads_only): (String, bool) = (row.try_get(0)?, row.try_get(1)?);
    if is != role {
        return Err(sqlx::Error::Protocol(format!("a connection is not in the role {role}")));
    }
    if must_write && reads_only {
        return Err(sqlx::Error::Protocol("the server only reads".to_owned()));
    }
    Ok(())
}

fn refused_role(role: &str, error: sqlx::Error) -> StoreError {
    // Insufficient privilege; no such role.
    let is_refused = |code: &str| code == "42501" || code == "22023";
    match error.as_database_error().and_then(|refusal| refusal.code()) {
        Some(code) if is_refused(&code) => StoreError::Setup(format!(
            "the login may not take on the role {role}; run keyway migrate with this login, or have an administrator run: \
             GRANT keyway_app, keyway_system TO <login>, on PostgreSQL 16 and later WITH SET TRUE, INHERIT FALSE"
        )),
        _ => error.into(),
    }
}
