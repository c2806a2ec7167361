//! The database's content, read past the processes: by a superuser, or read-only from the file.

use anyhow::{Context, Result};
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database as Connector, DatabaseConnection, Statement};

/// A connection of the test's own.
pub(crate) struct Database(pub(crate) DatabaseConnection);

impl Database {
    pub(crate) async fn open(url: &str) -> Result<Self> {
        let mut options = ConnectOptions::new(url);
        options.max_connections(2).sqlx_logging(false);
        Ok(Self(Connector::connect(options).await?))
    }

    /// The integer that a query yields.
    pub(crate) async fn number(&self, sql: &str) -> Result<i64> {
        let statement = Statement::from_string(self.0.get_database_backend(), sql);
        let row = self.0.query_one_raw(statement).await?.with_context(|| format!("no row: {sql}"))?;
        row.try_get_by_index(0).with_context(|| sql.to_owned())
    }

    /// The texts that a query of one column yields.
    pub(crate) async fn texts(&self, sql: &str) -> Result<Vec<String>> {
        let statement = Statement::from_string(self.0.get_database_backend(), sql);
        let rows = self.0.query_all_raw(statement).await?;
        rows.iter().map(|row| row.try_get_by_index(0).with_context(|| sql.to_owned())).collect()
    }

    /// Messages that are still to be delivered. A schedule's round may be spread over hours: it is not the test's.
    pub(crate) async fn outbox_rows(&self) -> Result<i64> {
        self.number(
            "SELECT COUNT(*) FROM outbox WHERE operation_id IS NULL OR operation_id NOT IN (SELECT id FROM operations \
             WHERE parent_id IN (SELECT id FROM operations WHERE origin = 'schedule'))",
        )
        .await
    }

    /// Dead letters that wait for a decision.
    pub(crate) async fn dead_letters(&self) -> Result<Vec<String>> {
        self.texts("SELECT lane || ' ' || reason || ': ' || error FROM dead_letters WHERE replayed_at_ms IS NULL").await
    }
}
