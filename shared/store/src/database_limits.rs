//! How much of the database a process may use. Plain data.

use std::time::Duration;

/// How much of the database one process may use.
#[derive(Clone, Copy, Debug)]
pub struct DatabaseLimits {
    /// Connections of each of the two PostgreSQL pools; readers on SQLite.
    pub connections: u32,
    /// How long a transaction waits for a connection.
    pub acquire_timeout: Duration,
    /// How long one statement may run (PostgreSQL).
    pub statement_timeout: Duration,
}

impl Default for DatabaseLimits {
    fn default() -> Self {
        Self { connections: 8, acquire_timeout: Duration::from_secs(10), statement_timeout: Duration::from_secs(30) }
    }
}
