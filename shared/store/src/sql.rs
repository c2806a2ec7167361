//! Statements with bound values, written once for both databases: `$1` is understood by each.
//!
//! Values are always bound, never written into the text.

use keyway_domain::Timestamp;
use sea_orm::{ConnectionTrait, EntityTrait, FromQueryResult, Statement, Value};
use uuid::Uuid;

use crate::{StoreError, Tx};

/// Largest number of bound values in one statement; below the limit of both databases.
const MAX_VALUES: usize = 30_000;
/// PostgreSQL's clock in milliseconds, constant during a statement.
pub(crate) const SHARED_NOW_MS: &str = "CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000 AS BIGINT)";

/// A statement under construction.
pub(crate) struct Sql {
    text: String,
    values: Vec<Value>,
}

impl Sql {
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), values: Vec::new() }
    }

    /// Returns a whole statement whose placeholders are numbered already.
    pub(crate) fn with(text: &str, values: impl IntoIterator<Item = Value>) -> Self {
        Self { text: text.to_owned(), values: values.into_iter().collect() }
    }

    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    pub(crate) fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        self.text.push('$');
        self.text.push_str(&self.values.len().to_string());
        self
    }

    /// Appends `$1, $2, $3`.
    pub(crate) fn list<V: Into<Value>>(&mut self, values: impl IntoIterator<Item = V>) -> &mut Self {
        for (index, value) in values.into_iter().enumerate() {
            if index > 0 {
                self.push(", ");
            }
            self.bind(value);
        }
        self
    }

    /// Appends `($1, $2), ($3, $4)`.
    pub(crate) fn tuples<const N: usize>(&mut self, rows: impl IntoIterator<Item = [Value; N]>) -> &mut Self {
        self.rows_of(rows)
    }

    /// Works like [`Self::tuples`], for rows whose length is known only when it runs.
    pub(crate) fn rows_of<R: IntoIterator<Item = Value>>(&mut self, rows: impl IntoIterator<Item = R>) -> &mut Self {
        for (index, row) in rows.into_iter().enumerate() {
            self.push(if index > 0 { "), (" } else { "(" }).list(row);
        }
        self.push(")")
    }

    fn statement(self, tx: &impl Tx) -> Statement {
        let text = if tx.is_postgres() { self.text } else { unnumbered(self.text, self.values.len()) };
        Statement::from_sql_and_values(tx.db().get_database_backend(), text, self.values)
    }

    /// Runs the statement and returns the number of affected rows.
    pub(crate) async fn run(self, tx: &impl Tx) -> Result<u64, StoreError> {
        let statement = self.statement(tx);
        Ok(tx.db().execute_raw(statement).await?.rows_affected())
    }

    /// Runs the statement and reads whole rows of an entity.
    pub(crate) async fn models<E: EntityTrait>(self, tx: &impl Tx) -> Result<Vec<E::Model>, StoreError> {
        Ok(E::find().from_raw_sql(self.statement(tx)).all(tx.db()).await?)
    }

    /// Runs the statement and reads rows of another shape.
    pub(crate) async fn rows<R: FromQueryResult>(self, tx: &impl Tx) -> Result<Vec<R>, StoreError> {
        Ok(R::find_by_statement(self.statement(tx)).all(tx.db()).await?)
    }

    /// Runs the statement and reads the column `id` of each row.
    pub(crate) async fn ids(self, tx: &impl Tx) -> Result<Vec<Uuid>, StoreError> {
        let rows = tx.db().query_all_raw(self.statement(tx)).await?;
        Ok(rows.iter().map(|row| row.try_get("", "id")).collect::<Result<_, _>>()?)
    }

    /// Runs the statement and reads the column `n` of its only row.
    pub(crate) async fn number(self, tx: &impl Tx) -> Result<i64, StoreError> {
        let row = tx.db().query_one_raw(self.statement(tx)).await?.ok_or(StoreError::NotFound)?;
        Ok(row.try_get("", "n")?)
    }
}

/// Replaces `$1`, `$2`, ... by `?` if each of `count` numbers occurs once and in order; any other text is unchanged.
///
/// SQLite treats `$1` as a name and searches all names for each bound value, which takes quadratic time.
fn unnumbered(text: String, count: usize) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut pieces = text.split('$');
    plain.push_str(pieces.next().unwrap_or_default());
    let mut bound = 0;
    for piece in pieces {
        bound += 1;
        let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
        if piece[..digits].parse() != Ok(bound) {
            return text;
        }
        plain.push('?');
        plain.push_str(&piece[digits..]);
    }
    if bound == count { plain } else { text }
}

/// Returns the time by PostgreSQL's clock.
pub(crate) async fn shared_now(tx: &impl Tx) -> Result<Timestamp, StoreError> {
    let ms = Sql::new(&format!("SELECT {SHARED_NOW_MS} AS n")).number(tx).await?;
    Ok(Timestamp::from_ms(ms))
}

/// Appends a time of this process' clock, converted to the clock that all processes share, which is PostgreSQL's: a
/// process with a wrong clock still claims and hands over in time. On SQLite the two are the same.
pub(crate) fn shared_time(sql: &mut Sql, tx: &impl Tx, at_ms: i64) {
    if tx.is_postgres() {
        let from_now_ms = at_ms.saturating_sub(Timestamp::now().ms());
        sql.push(SHARED_NOW_MS).push(" + ").bind(from_now_ms);
    } else {
        sql.bind(at_ms);
    }
}

/// Appends a stored time in `column`, converted back to this process' clock.
pub(crate) fn own_time(sql: &mut Sql, tx: &impl Tx, column: &str) {
    sql.push(column);
    if tx.is_postgres() {
        sql.push(" - ").push(SHARED_NOW_MS).push(" + ").bind(Timestamp::now().ms());
    }
}

/// Returns the number of rows of `columns` values that fit into one statement.
pub(crate) const fn chunk(columns: usize) -> usize {
    MAX_VALUES / columns
}

/// Returns `FOR UPDATE` on PostgreSQL; nothing on SQLite, which has one writer at a time.
pub(crate) fn for_update(tx: &impl Tx) -> &'static str {
    if tx.is_postgres() { " FOR UPDATE" } else { "" }
}

/// Returns `FOR SHARE` on PostgreSQL, which keeps the row unchanged until the transaction ends; nothing on SQLite.
pub(crate) fn for_share(tx: &impl Tx) -> &'static str {
    if tx.is_postgres() { " FOR SHARE" } else { "" }
}

/// Returns `FOR UPDATE SKIP LOCKED` on PostgreSQL, which passes over rows that another transaction holds.
pub(crate) fn skip_locked(tx: &impl Tx) -> &'static str {
    if tx.is_postgres() { " FOR UPDATE SKIP LOCKED" } else { "" }
}

/// Returns the stored form of an optional time.
pub(crate) fn ms(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::ms)
}

/// Reads [`ms`].
pub(crate) fn time(ms: Option<i64>) -> Option<Timestamp> {
    ms.map(Timestamp::from_ms)
}

/// Returns a number in the databases' integer type; attempts and HTTP statuses are always in range.
pub(crate) fn int(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// Reads [`int`].
pub(crate) fn uint(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

/// Returns a limit in the databases' integer type.
pub(crate) fn limit(rows: u64) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_gets_no_numbers_where_they_say_nothing() {
        for (text, count, expected) in [
            ("SELECT 1", 0, "SELECT 1"),
            ("VALUES ($1, $2), ($3, $4)", 4, "VALUES (?, ?), (?, ?)"),
            ("a = $1 AND b = $2 OR c = $1", 2, "a = $1 AND b = $2 OR c = $1"),
            ("b = $2 AND a = $1", 2, "b = $2 AND a = $1"),
            ("a = $1", 2, "a = $1"),
            ("a = '$' AND b = $1", 1, "a = '$' AND b = $1"),
        ] {
            assert_eq!(unnumbered(text.to_owned(), count), expected);
        }
    }

    #[test]
    fn every_value_of_a_long_statement_has_its_place() {
        let mut sql = Sql::new("VALUES ");
        sql.tuples((0..200).map(|row| [Value::from(row), Value::from(-row)]));
        let text = unnumbered(sql.text, sql.values.len());
        assert_eq!((text.matches('?').count(), text.contains('$')), (400, false));
    }
}
