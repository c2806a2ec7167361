//! Leases on limits: a process leases a part of a window's remainder, spends it from memory, and hands back the unused
//! part. Grants minus returns never exceed the limit, across all processes.
//!
//! Windows go by the clock that all processes share. A row's window only moves forward, so that two processes never
//! spend the same limit in two windows at once.

use keyway_domain::{LimitWindow, Limits, Measure, Timestamp};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::{
    StoreError, TenantTx,
    sql::{SHARED_NOW_MS, Sql, for_update},
    transaction::sealed::Inner,
};

/// Divisor of the remainder that gives the size of one lease, unless a single call needs more: a process that dies
/// takes its lease with it, and the rest must be left for others.
const PARTS: i64 = 16;

/// One process' request and report for one measure of a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Measure of the limit.
    pub measure: Measure,
    /// The limit: requests, tokens or nano-USD.
    pub limit: i64,
    /// Amount needed now; 0 asks for nothing and only reports.
    pub need: i64,
    /// `true` if less than `need` is of use.
    pub partial: bool,
    /// Use since the last report of this process.
    pub told: Told,
}

/// Report of a process on its lease of one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Start of the window; a report on any window but the current one is ignored.
    pub window_start: Timestamp,
    /// Granted amount handed back; negative: amount spent beyond the grants.
    pub returned: i64,
    /// Amount that calls have used.
    pub used: i64,
}

/// State of a measure of a scope after the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Measure of the limit.
    pub measure: Measure,
    /// Amount granted to the asking process now.
    pub granted: i64,
    /// Amount left for others; negative: the limit was exceeded.
    pub left: i64,
    /// Amount that calls have used, as far as reported.
    pub used: i64,
    /// The window.
    pub window: LimitWindow,
    /// Time by the shared clock.
    pub now: Timestamp,
    /// Time of the last lease, return or report by any process.
    pub changed_at: Timestamp,
}

#[derive(FromQueryResult)]
struct Row {
    measure: String,
    window_start_ms: i64,
    granted: i64,
    used: i64,
    changed_at_ms: i64,
    now_ms: i64,
}

/// Leases the asked amounts, as far as the limits allow, in the order of the asks.
///
/// # Errors
/// [`StoreError::Conflict`] when the tenant is gone; otherwise see [`StoreError`].
pub async fn lease(tx: &TenantTx, scope_id: Uuid, asks: &[Ask]) -> Result<Vec<Lease>, StoreError> {
    let mut rows = locked(tx, scope_id, asks).await?;
    if rows.len() < asks.len() {
        insert(tx, scope_id, asks).await?;
        rows = locked(tx, scope_id, asks).await?;
    }
    let mut leases = Vec::with_capacity(asks.len());
    for ask in asks {
        let row = rows.iter().find(|row| row.measure == ask.measure.name()).ok_or(StoreError::NotFound)?;
        leases.push(grant(tx, scope_id, row, ask).await?);
    }
    Ok(leases)
}

impl Ask {
    /// Returns how much of `left` is granted.
    fn granted_of(&self, left: i64) -> i64 {
        if self.need <= 0 || left <= 0 {
            0
        } else if left >= self.need {
            self.need.max(left / PARTS)
        } else if self.partial {
            left
        } else {
            0
        }
    }
}

/// Locks the rows of the asked measures if all are there, and none if one is missing: whoever inserts it may hold it while
/// waiting for another one.
async fn locked(tx: &TenantTx, scope_id: Uuid, asks: &[Ask]) -> Result<Vec<Row>, StoreError> {
    let mut sql = Sql::new("SELECT measure, window_start_ms, granted, used, changed_at_ms, ");
    if tx.is_postgres() {
        sql.push(SHARED_NOW_MS);
    } else {
        sql.bind(Timestamp::now().ms());
    }
    sql.push(" AS now_ms FROM limit_windows WHERE ");
    of_asks(&mut sql, tx, scope_id, asks);
    sql.push(" AND (SELECT count(*) FROM limit_windows WHERE ");
    of_asks(&mut sql, tx, scope_id, asks);
    sql.push(") = ").bind(asks.len() as i64).push(" ORDER BY measure").push(for_update(tx));
    sql.rows(tx).await
}

fn of_asks(sql: &mut Sql, tx: &TenantTx, scope_id: Uuid, asks: &[Ask]) {
    sql.push("tenant_id = ").bind(tx.tenant_id().uuid()).push(" AND scope_id = ").bind(scope_id);
    sql.push(" AND measure IN (").list(asks.iter().map(|ask| ask.measure.name())).push(")");
}

async fn insert(tx: &TenantTx, scope_id: Uuid, asks: &[Ask]) -> Result<(), StoreError> {
    let mut names: Vec<_> = asks.iter().map(|ask| ask.measure.name()).collect();
    names.sort_unstable();
    let mut sql = Sql::new(
        "INSERT INTO limit_windows (tenant_id, scope_id, measure, window_start_ms, granted, used, changed_at_ms) VALUES ",
    );
    sql.tuples(names.into_iter().map(|name| -> [Value; 7] {
        let empty = || Value::from(0_i64);
        [tx.tenant_id().uuid().into(), scope_id.into(), name.into(), empty(), empty(), empty(), empty()]
    }));
    sql.push(" ON CONFLICT DO NOTHING");
    sql.run(tx).await.map(drop)
}

async fn grant(tx: &TenantTx, scope_id: Uuid, row: &Row, ask: &Ask) -> Result<Lease, StoreError> {
    let now = Timestamp::from_ms(row.now_ms);
    let stored = Timestamp::from_ms(row.window_start_ms);
    let window = ask.measure.window(now.max(stored));
    let (mut granted, mut used) = if window.start > stored { (0, 0) } else { (row.granted, row.used) };
    if ask.told.window_start == window.start {
        granted = (granted - ask.told.returned).max(0);
        used += ask.told.used;
    }
    let now_granted = ask.granted_of(ask.limit - granted);
    granted += now_granted;
    let mut changed_at = Timestamp::from_ms(row.changed_at_ms);
    if (window.start.ms(), granted, used) != (row.window_start_ms, row.granted, row.used) {
        changed_at = now;
        let text = "UPDATE limit_windows SET window_start_ms = $1, granted = $2, used = $3, changed_at_ms = $4 \
                    WHERE tenant_id = $5 AND scope_id = $6 AND measure = $7";
        let key = [tx.tenant_id().uuid().into(), scope_id.into(), ask.measure.name().into()];
        let values = [window.start.ms().into(), granted.into(), used.into(), now.ms().into()];
        Sql::with(text, values.into_iter().chain(key)).run(tx).await?;
    }
    let left = ask.limit - granted;
    Ok(Lease { measure: ask.measure, granted: now_granted, left, used, window, now, changed_at })
}

/// Reads the limits from a row of a table that has their columns.
macro_rules! stored_limits {
    ($row:expr) => {
        keyway_domain::Limits {
            requests_per_minute: $row.requests_per_minute,
            tokens_per_minute: $row.tokens_per_minute,
            daily_budget_nano_usd: $row.daily_budget_nano_usd,
            monthly_budget_nano_usd: $row.monthly_budget_nano_usd,
        }
    };
}
pub(crate) use stored_limits;

/// Adds the limits to the assignments of an UPDATE.
pub(crate) fn assign(sql: &mut Sql, limits: &Limits) {
    for (column, limit) in columns(limits) {
        sql.push(", ").push(column).push(" = ").bind(limit);
    }
}

/// Returns the columns that hold limits, with their values.
pub(crate) fn columns(limits: &Limits) -> [(&'static str, Value); 4] {
    [
        ("requests_per_minute", limits.requests_per_minute.into()),
        ("tokens_per_minute", limits.tokens_per_minute.into()),
        ("daily_budget_nano_usd", limits.daily_budget_nano_usd.into()),
        ("monthly_budget_nano_usd", limits.monthly_budget_nano_usd.into()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_a_part_of_what_is_left_and_never_more() {
        let ask = |need, partial| Ask { measure: Measure::Tokens, limit: 0, need, partial, told: Told::default() };
        for (left, need, partial, expected) in [
            (1600, 1, true, 100),
            (1600, 500, true, 500),
            (1600, 1600, false, 1600),
            (10, 1, true, 1),
            (10, 11, true, 10),
            (10, 11, false, 0),
            (0, 1, true, 0),
            (-5, 1, true, 0),
            (1600, 0, true, 0),
        ] {
            assert_eq!(ask(need, partial).granted_of(left), expected, "{need} of {left}");
        }
    }
}
