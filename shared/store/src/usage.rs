//! The metered ledger: proxied calls, each once by its request id, and their sums by hour and by day.
//!
//! An unknown figure stays null in the sums; the number of calls without it is counted beside them. A call settled
//! because its process died gives way to its completion, should that come later, and never the other way round: in
//! whatever order the two arrive, one row is left, and it is the completion. A call that Keyway itself refused is kept
//! like the others and counted apart: no provider was asked for it. An answer made in the background counts in the
//! first call that shows its usage; a call that reads it again used nothing.

mod counted;
mod left;
mod rollups;
mod row;
mod stored;

use std::collections::HashSet;

use keyway_domain::{RequestId, TenantId};
use sea_orm::Value;

use self::{
    rollups::{Changes, Origin},
    row::model,
};
use crate::{
    StoreError, SystemTx,
    sql::{Sql, chunk},
};

pub(crate) use self::stored::CallRow;
pub use self::{left::roll_up_left, row::MeteredRow};

/// Number of bound columns of a call.
const CALL_COLUMNS: usize = 29;
/// Stands for the price list's version where no provider was asked.
const REFUSED: &str = "refused";

/// Appends calls of a tenant and adds the new ones to their sums by hour and by day. Returns the new ones as counted.
///
/// # Errors
/// [`StoreError::Conflict`] if the tenant is gone; otherwise see [`StoreError`].
pub async fn append_metered(
    tx: &SystemTx,
    tenant_id: TenantId,
    rows: Vec<MeteredRow>,
) -> Result<Vec<MeteredRow>, StoreError> {
    let mut rows = each_once(rows);
    counted::count_once(tx, tenant_id, &mut rows).await?;
    let (mut added, mut changes) = (HashSet::new(), Changes::default());
    for rows in rows.chunks(chunk(CALL_COLUMNS)) {
        let rows: Vec<_> = rows.iter().collect();
        let mut new = insert_calls(tx, tenant_id, &rows).await?;
        let late: Vec<_> =
            rows.iter().copied().filter(|row| !row.call.settled && !new.contains(&row.call.request_id)).collect();
        if !late.is_empty() && take_settled(tx, tenant_id, &late, &mut changes).await? > 0 {
            new.extend(insert_calls(tx, tenant_id, &late).await?);
        }
        rows.into_iter().filter(|row| new.contains(&row.call.request_id)).for_each(|row| changes.add(row));
        added.extend(new);
    }
    changes.write(tx, tenant_id).await?;
    rows.retain(|row| added.contains(&row.call.request_id));
    Ok(rows)
}

/// Keeps one row per request; where a batch has both a call and its settlement, the call.
fn each_once(mut rows: Vec<MeteredRow>) -> Vec<MeteredRow> {
    rows.sort_by_key(|row| (row.call.request_id, row.call.settled));
    rows.dedup_by_key(|row| row.call.request_id);
    rows
}

/// Deletes the settled rows of these calls, if any, and takes them back. Returns their number.
async fn take_settled(
    tx: &SystemTx,
    tenant_id: TenantId,
    late: &[&MeteredRow],
    changes: &mut Changes,
) -> Result<usize, StoreError> {
    let mut sql = Sql::new("DELETE FROM metered_calls WHERE settled AND tenant_id = ");
    sql.bind(tenant_id.uuid()).push(" AND request_id IN (").list(late.iter().map(|row| row.call.request_id.uuid()));
    sql.push(") RETURNING *");
    let taken: Vec<CallRow> = sql.rows(tx).await?;
    let count = taken.len();
    for row in taken {
        let is_rolled_up = row.rolled_up;
        changes.take_settled(Origin::of(&row.metered().call), is_rolled_up);
    }
    Ok(count)
}

async fn insert_calls(
    tx: &SystemTx,
    tenant_id: TenantId,
    rows: &[&MeteredRow],
) -> Result<HashSet<RequestId>, StoreError> {
    let mut sql = Sql::new(
        "INSERT INTO metered_calls (request_id, tenant_id, project_id, virtual_key_id, integration_id, provider, \
         model, path, http_status, input_tokens, cached_input_tokens, cache_write_tokens, cache_write_1h_tokens, \
         output_tokens, reasoning_tokens, cost_nano_usd, price_version, started_at_ms, duration_ms, first_byte_ms, \
         streamed, complete, overhead_us, attempts, cached, settled, credential, refused_code, rolled_up) VALUES ",
    );
    sql.tuples(rows.iter().map(|row| values(tenant_id, row)));
    sql.push(" ON CONFLICT DO NOTHING RETURNING request_id AS id");
    Ok(sql.ids(tx).await?.into_iter().map(RequestId::from_uuid).collect())
}

fn values(tenant_id: TenantId, row: &MeteredRow) -> [Value; CALL_COLUMNS] {
    let call = &row.call;
    let (cost_nano_usd, price_version) = match &call.refused_code {
        Some(_) => (Some(0), Some(REFUSED.to_owned())),
        None => (row.cost_nano_usd, row.price_version.clone()),
    };
    [
        call.request_id.uuid().into(),
        tenant_id.uuid().into(),
        call.project_id.uuid().into(),
        call.virtual_key_id.uuid().into(),
        call.served_by.uuid().into(),
        call.provider.clone().into(),
        model(call).into(),
        call.path.clone().into(),
        call.http_status.map(i32::from).into(),
        call.tokens.input.into(),
        call.tokens.cached_input.into(),
        call.tokens.cache_write.into(),
        call.tokens.cache_write_1h.into(),
        call.tokens.output.into(),
        call.tokens.reasoning.into(),
        cost_nano_usd.into(),
        price_version.into(),
        call.started_at.ms().into(),
        call.duration_ms.into(),
        call.first_byte_ms.into(),
        call.streamed.into(),
        call.complete.into(),
        call.overhead_us.into(),
        i32::from(call.attempts).into(),
        call.cached.into(),
        call.settled.into(),
        call.credential.name().into(),
        call.refused_code.clone().into(),
        true.into(),
    ]
}
