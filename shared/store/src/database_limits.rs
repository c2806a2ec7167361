//! How much of the database a process may use. Plain data.

use std::time::Duration;

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
