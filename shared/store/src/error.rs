//! Errors of queries, one variant per reaction of the caller.
//!
//! Must never carry a connection URL or a bound value. The database's own message is part of the sentence, not a
//! `source`: printing the error chain would repeat it.

use std::borrow::Cow;

use keyway_domain::IntegrationId;
use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};

use crate::distrust::distrust_sessions;

/// Reason why a query failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is away, busy or broke a deadlock: roll back, wait and run the transaction again.
    #[error("the database is not available at the moment: {0}")]
    Unavailable(DbErr),
    /// No such row in this tenant: answer "not found".
    #[error("there is no such row")]
    NotFound,
    /// The tenant already keeps an equal secret: point the owner to it.
    #[error("the tenant already has this secret in {existing}")]
    Duplicate {
        /// Integration that has the secret.
        existing: IntegrationId,
    },
    /// The name is in use: ask for another one.
    #[error("the name is already in use")]
    NameTaken,
    /// The tenant has as many rows as it may have: ask to delete one first.
    #[error("the tenant may have at most {most} of these")]
    Full {
        /// Largest number allowed.
        most: u64,
    },
    /// The row was changed since it was read: read it again.
    #[error("the row has changed since it was read")]
    Stale,
    /// Another row refers to this one, or the row it refers to is gone: resolve that first.
    #[error("another row stands in the way")]
    Conflict,
    /// The tenant would be left without an owner: have somebody else made one first.
    #[error("the tenant needs an owner")]
    LastOwner,
    /// A stored value is not readable by this build: report it, retrying cannot help.
    #[error("a stored {0} is not readable")]
    Corrupt(&'static str),
    /// The database URL is not usable: fix the setting.
    #[error("the database URL is not usable: {0}")]
    BadUrl(&'static str),
    /// The database is not set up for Keyway: change it as the text says.
    #[error("the database is not set up for Keyway: {0}")]
    Setup(String),
    /// The database refused the statement (a missing migration or a defect): report it.
    #[error("the database refused a statement: {0}")]
    Refused(DbErr),
}

impl StoreError {
    /// Returns `true` if the same transaction may succeed when it is run again later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// SQLSTATE `read_only_sql_transaction`: a standby, or a server set to read only, refused a write.
const READ_ONLY: &str = "25006";

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        if code_of(&error).is_some_and(|code| code == READ_ONLY) {
            distrust_sessions();
        }
        match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_) | SqlErr::ForeignKeyConstraintViolation(_)) => Self::Conflict,
            _ if is_transient(&error) => Self::Unavailable(error),
            _ => Self::Refused(error),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        DbErr::Conn(RuntimeErr::SqlxError(error.into())).into()
    }
}

fn code_of(error: &DbErr) -> Option<Cow<'_, str>> {
    let (DbErr::Conn(RuntimeErr::SqlxError(error))
    | DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return None;
    };
    error.as_database_error()?.code()
}

fn is_transient(error: &DbErr) -> bool {
    match error {
        DbErr::ConnectionAcquire(_) => true,
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => match error.as_database_error() {
            Some(refusal) => refusal.code().is_some_and(|code| is_transient_code(&code)),
            None => !matches!(**error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Configuration(_)),
        },
        DbErr::Conn(_) => true,
        _ => false,
    }
}

/// Returns `true` for the SQLSTATE classes of lost connections, refused logins, exhausted resources, shutdown, deadlock
/// and lock timeouts, and for the code of a read-only server; on SQLite, for busy, locked, I/O error and full.
fn is_transient_code(code: &str) -> bool {
    if code.len() == 5 {
        return code == READ_ONLY
            || ["08", "28", "40", "53", "55", "57", "58"].iter().any(|class| code.starts_with(class));
    }
    code.parse::<i32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 10 | 13))
}
