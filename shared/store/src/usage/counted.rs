//! Answers that can be read again and again: each counts in the first call that shows its usage. Kept at least as long
//! as the ledger keeps its calls.

use std::collections::HashMap;

use keyway_domain::{PriceTerms, RequestId, ServedBy, TenantId, TokenCounts};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::row::MeteredRow;
use crate::{
    StoreError, SystemTx,
    sql::{Sql, chunk},
};

/// Stands for the price list's version where another call has counted the same answer.
const COUNTED: &str = "counted";

/// Counts each answer once: removes the figures of calls whose answer another call has counted already.
pub(super) async fn count_once(tx: &SystemTx, tenant_id: TenantId, rows: &mut [MeteredRow]) -> Result<(), StoreError> {
    let mut readings: Vec<_> = rows.iter().filter_map(reading).collect();
    // In one order, so that no two transactions wait for each other.
    readings.sort_unstable();
    let mut counted = HashMap::new();
    for readings in readings.chunks(chunk(5)) {
        let mut sql = Sql::new(
            "INSERT INTO counted_answers (tenant_id, integration_id, answer_id, request_id, counted_at_ms) VALUES ",
        );
        sql.tuples(readings.iter().map(|(answer_id, served_by, request_id, at_ms)| {
            let integration_id = served_by.uuid();
            [
                tenant_id.uuid().into(),
                integration_id.into(),
                (*answer_id).into(),
                request_id.uuid().into(),
                (*at_ms).into(),
            ]
        }));
        sql.push(" ON CONFLICT DO NOTHING");
        sql.run(tx).await?;
        let mut sql = Sql::new("SELECT answer_id, integration_id, request_id FROM counted_answers WHERE tenant_id = ");
        sql.bind(tenant_id.uuid()).push(" AND answer_id IN (").list(readings.iter().map(|reading| reading.0)).push(")");
        let owners = sql.rows::<Owner>(tx).await?;
        counted.extend(owners.into_iter().map(|owner| ((owner.answer_id, owner.integration_id), owner.request_id)));
    }
    for row in rows {
        let Some(answer_id) = row.call.answer_id.clone() else { continue };
        let owner = counted.get(&(answer_id, row.call.served_by.uuid()));
        if owner.is_some_and(|owner| *owner != row.call.request_id.uuid()) {
            used_nothing(row);
        }
    }
    Ok(())
}

/// Call that has counted an answer.
#[derive(FromQueryResult)]
struct Owner {
    answer_id: String,
    integration_id: Uuid,
    request_id: Uuid,
}

fn reading(row: &MeteredRow) -> Option<(&str, ServedBy, RequestId, i64)> {
    let call = &row.call;
    Some((call.answer_id.as_deref()?, call.served_by, call.request_id, call.started_at.ms()))
}

fn used_nothing(row: &mut MeteredRow) {
    row.call.tokens = TokenCounts { input: Some(0), output: Some(0), ..TokenCounts::default() };
    row.call.terms = PriceTerms::default();
    (row.cost_nano_usd, row.price_version) = (Some(0), Some(COUNTED.to_owned()));
}
