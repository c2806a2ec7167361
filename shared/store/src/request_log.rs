//! The request log: single metered calls, newest first. No bodies are stored, so none can be shown; calls are kept as
//! long as the ledger's retention says.

use std::ops::RangeInclusive;

use keyway_domain::{CallOutcome, CredentialSource, RequestId, Timestamp};

use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::{
    Only, Page, Paged, StoreError, TenantTx,
    page::beyond,
    sql::{Sql, limit},
    usage::{CallRow, MeteredRow},
};

/// Key of a call in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestKey {
    /// Arrival time of the request.
    pub started_at: Timestamp,
    /// Id that orders calls of the same time.
    pub request_id: RequestId,
}

/// Filter of a list of calls; `None` accepts any value.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Narrowing of the report.
    pub only: Only,
    /// Source of the secret that served the call.
    pub credential: Option<CredentialSource>,
    /// Model.
    pub model: Option<String>,
    /// Range of HTTP statuses of the answer.
    pub status: Option<RangeInclusive<u16>>,
    /// Outcome of the call.
    pub outcome: Option<CallOutcome>,
    /// Code of Keyway's own refusal.
    pub refused_code: Option<String>,
    /// Earliest arrival, inclusive.
    pub from: Option<Timestamp>,
    /// Latest arrival, exclusive.
    pub to: Option<Timestamp>,
}

/// Calls that one page looks at, at most, where no index has what the filter asks for.
pub const MAX_SCANNED: u64 = 10_000;

/// One page of the list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The calls, newest first; fewer than asked for where the filter lets few through.
    pub items: Vec<MeteredRow>,
    /// Key of the call after which the next page begins; `None` on the last page.
    pub next: Option<RequestKey>,
}

#[derive(FromQueryResult)]
struct KeyRow {
    started_at_ms: i64,
    request_id: Uuid,
}

/// Returns calls of the tenant, newest first. A filter that no index serves is tried on [`MAX_SCANNED`] calls; the next
/// page goes on behind them.
///
/// # Errors
/// See [`StoreError`].
pub async fn list(tx: &TenantTx, filter: &Filter, page: Page<RequestKey>) -> Result<Listed, StoreError> {
    let last = if filter.is_tried() { last_tried(tx, filter, &page).await? } else { None };
    let mut sql = Sql::new("SELECT * FROM metered_calls");
    filter.find(&mut sql, tx);
    filter.narrow(&mut sql);
    if let Some(last) = last {
        sql.push(" AND (started_at_ms, request_id) >= (").list(values(&last)).push(")");
    }
    page.newest_first(&mut sql, COLUMNS, values);
    let rows = sql.rows::<CallRow>(tx).await?;
    let Paged { items, more } = Paged::of(&page, rows.into_iter().map(CallRow::metered).collect());
    let key = |row: &MeteredRow| RequestKey { started_at: row.call.started_at, request_id: row.call.request_id };
    let next = if more { items.last().map(key) } else { last };
    Ok(Listed { items, next })
}

/// Returns one call of the tenant, unless its retention is over.
///
/// # Errors
/// See [`StoreError`].
pub async fn find(tx: &TenantTx, id: RequestId) -> Result<Option<MeteredRow>, StoreError> {
    let text = "SELECT * FROM metered_calls WHERE request_id = $1 AND tenant_id = $2";
    let rows = Sql::with(text, [id.uuid().into(), tx.tenant_id().uuid().into()]).rows::<CallRow>(tx).await?;
    Ok(rows.into_iter().next().map(CallRow::metered))
}

const COLUMNS: [&str; 2] = ["started_at_ms", "request_id"];

fn values(key: &RequestKey) -> [Value; 2] {
    [key.started_at.ms().into(), key.request_id.uuid().into()]
}

/// Returns the last of the calls on which a page tries its filter; `None` if all that are left are fewer.
async fn last_tried(tx: &TenantTx, filter: &Filter, page: &Page<RequestKey>) -> Result<Option<RequestKey>, StoreError> {
    let mut sql = Sql::new("SELECT started_at_ms, request_id FROM metered_calls");
    filter.find(&mut sql, tx);
    if let Some(after) = &page.after {
        beyond(&mut sql, &COLUMNS, true);
        sql.list(values(after)).push(")");
    }
    sql.push(" ORDER BY started_at_ms DESC, request_id DESC LIMIT 1 OFFSET ").bind(limit(MAX_SCANNED - 1));
    let found = sql.rows::<KeyRow>(tx).await?.pop();
    Ok(found.map(|row| RequestKey {
        started_at: Timestamp::from_ms(row.started_at_ms),
        request_id: RequestId::from_uuid(row.request_id),
    }))
}

impl Filter {
    /// Begins the condition with what an index finds.
    fn find(&self, sql: &mut Sql, tx: &TenantTx) {
        sql.push(" WHERE tenant_id = ").bind(tx.tenant_id().uuid());
        let Only { integration_id, virtual_key_id, .. } = self.only;
        Only { integration_id, virtual_key_id, ..Only::default() }.narrow(sql);
        if let Some(from) = self.from {
            sql.push(" AND started_at_ms >= ").bind(from.ms());
        }
        if let Some(to) = self.to {
            sql.push(" AND started_at_ms < ").bind(to.ms());
        }
    }

    /// Returns `true` if it asks for more than an index finds.
    const fn is_tried(&self) -> bool {
        let Only { provider, project_id, within, integration_id, virtual_key_id } = &self.only;
        let only = provider.is_some() || project_id.is_some() || within.is_some();
        let other = self.credential.is_some() || self.model.is_some() || self.status.is_some();
        let ended = self.outcome.is_some() || self.refused_code.is_some();
        only || other || ended || (integration_id.is_some() && virtual_key_id.is_some())
    }

    /// Goes on with what each call is tried on.
    fn narrow(&self, sql: &mut Sql) {
        Only { integration_id: None, virtual_key_id: None, ..self.only.clone() }.narrow(sql);
        for (condition, text) in [(" AND model = ", &self.model), (" AND refused_code = ", &self.refused_code)] {
            if let Some(text) = text {
                sql.push(condition).bind(text.as_str());
            }
        }
        if let Some(credential) = self.credential {
            sql.push(" AND credential = ").bind(credential.name());
        }
        if let Some(status) = &self.status {
            sql.push(" AND http_status BETWEEN ").bind(i32::from(*status.start()));
            sql.push(" AND ").bind(i32::from(*status.end()));
        }
        sql.push(match self.outcome {
            None => "",
            Some(CallOutcome::Completed) => " AND complete AND NOT settled AND refused_code IS NULL",
            Some(CallOutcome::BrokenOff) => " AND NOT complete AND NOT settled AND refused_code IS NULL",
            Some(CallOutcome::Settled) => " AND settled AND refused_code IS NULL",
            Some(CallOutcome::Refused) => " AND refused_code IS NOT NULL",
        });
    }
}
