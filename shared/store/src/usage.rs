//! The metered ledger: proxied calls, each once by its request id, and their sums per day.
//!
//! An unknown figure stays null in the sums; the number of calls without it is counted beside them. A call settled
//! because its process died gives way to its completion, should that come later, and never the other way round: in
//! whatever order the two arrive, one row is left, and it is the completion. A call that Keyway itself refused is kept
//! like the others and counted apart: no provider was asked for it. An answer made in the background counts in the
//! first call that shows its usage; a call that reads it again used nothing.

mod counted;

use std::collections::{BTreeMap, HashSet};

use keyway_domain::{MeteredCall, NanoUsd, RequestId, TenantId, Timestamp, TokenCounts};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::{
    StoreError, SystemTx,
    sql::{Sql, chunk},
};

/// A proxied call with its price.
#[derive(Clone, Debug)]
pub struct MeteredRow {
    /// The call.
    pub call: MeteredCall,
    /// Cost in nano-USD; `None` if price or tokens are unknown.
    pub cost_nano_usd: Option<NanoUsd>,
    /// Version of the price list that was used.
    pub price_version: Option<String>,
}

/// Number of bound columns of a call.
const CALL_COLUMNS: usize = 28;
/// Stands for the price list's version where no provider was asked.
const REFUSED: &str = "refused";

/// Daily columns that count calls.
const COUNTS: [&str; 5] =
    ["requests", "failed_requests", "unknown_token_requests", "unpriced_requests", "refused_requests"];

/// Daily columns that stay null until a call gives a figure.
const FIGURES: [&str; 7] = [
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_nano_usd",
];

/// Key of a daily row: UTC day, project, integration, virtual key, provider and model.
type Key = (String, Uuid, Uuid, Uuid, String, String);

#[derive(Default)]
struct Sums {
    requests: i64,
    failed_requests: i64,
    unknown_token_requests: i64,
    unpriced_requests: i64,
    refused_requests: i64,
    tokens: TokenCounts,
    cost_nano_usd: Option<NanoUsd>,
}

/// Appends calls of a tenant and adds the new ones to their daily sums. Returns the new ones as counted.
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
    let mut added = HashSet::new();
    for rows in rows.chunks(chunk(CALL_COLUMNS)) {
        let rows: Vec<_> = rows.iter().collect();
        let mut new = insert_calls(tx, tenant_id, &rows).await?;
        let late: Vec<_> =
            rows.iter().copied().filter(|row| !row.call.settled && !new.contains(&row.call.request_id)).collect();
        let mut days: BTreeMap<Key, Sums> = BTreeMap::new();
        if !late.is_empty() {
            for settled in take_settled(tx, tenant_id, &late).await? {
                days.entry(settled.key()).or_default().take_settled();
            }
        }
        if !days.is_empty() {
            new.extend(insert_calls(tx, tenant_id, &late).await?);
        }
        let taken: Vec<_> = days.keys().cloned().collect();
        for row in rows.into_iter().filter(|row| new.contains(&row.call.request_id)) {
            days.entry(key(&row.call)).or_default().add(row);
        }
        let days: Vec<_> = days.into_iter().collect();
        for days in days.chunks(chunk(19)) {
            add_to_days(tx, tenant_id, days).await?;
        }
        delete_empty_days(tx, tenant_id, &taken).await?;
        added.extend(new);
    }
    rows.retain(|row| added.contains(&row.call.request_id));
    Ok(rows)
}

/// Keeps one row per request; where a batch has both a call and its settlement, the call.
fn each_once(mut rows: Vec<MeteredRow>) -> Vec<MeteredRow> {
    rows.sort_by_key(|row| (row.call.request_id, row.call.settled));
    rows.dedup_by_key(|row| row.call.request_id);
    rows
}

/// A settled call that gives way to its completion.
#[derive(FromQueryResult)]
struct Settled {
    started_at_ms: i64,
    project_id: Uuid,
    integration_id: Uuid,
    virtual_key_id: Uuid,
    provider: String,
    model: Option<String>,
}

impl Settled {
    fn key(self) -> Key {
        (
            Timestamp::from_ms(self.started_at_ms).day(),
            self.project_id,
            self.integration_id,
            self.virtual_key_id,
            self.provider,
            self.model.unwrap_or_default(),
        )
    }
}

/// Deletes the settled rows of these calls, if any, and returns them.
async fn take_settled(tx: &SystemTx, tenant_id: TenantId, late: &[&MeteredRow]) -> Result<Vec<Settled>, StoreError> {
    let mut sql = Sql::new("DELETE FROM metered_calls WHERE settled AND tenant_id = ");
    sql.bind(tenant_id.uuid()).push(" AND request_id IN (").list(late.iter().map(|row| row.call.request_id.uuid()));
    sql.push(") RETURNING started_at_ms, project_id, integration_id, virtual_key_id, provider, model");
    sql.rows(tx).await
}

/// Deletes daily rows that count nothing once a settled call was taken back.
async fn delete_empty_days(tx: &SystemTx, tenant_id: TenantId, taken: &[Key]) -> Result<(), StoreError> {
    if taken.is_empty() {
        return Ok(());
    }
    let mut sql = Sql::new("DELETE FROM usage_daily WHERE requests = 0 AND refused_requests = 0 AND tenant_id = ");
    sql.bind(tenant_id.uuid()).push(" AND day IN (").list(taken.iter().map(|key| key.0.clone())).push(")");
    sql.run(tx).await.map(drop)
}

impl Sums {
    /// Takes back the counts that [`Self::add`] made for a settled call, whose figures are all unknown.
    fn take_settled(&mut self) {
        self.requests -= 1;
        self.failed_requests -= 1;
        self.unknown_token_requests -= 1;
        self.unpriced_requests -= 1;
    }

    fn add(&mut self, row: &MeteredRow) {
        let call = &row.call;
        if call.refused_code.is_some() {
            self.refused_requests += 1;
            return;
        }
        self.requests += 1;
        self.failed_requests += i64::from(call.http_status.is_none_or(|status| status >= 400));
        self.unknown_token_requests += i64::from(call.tokens.input.is_none() || call.tokens.output.is_none());
        self.unpriced_requests += i64::from(row.cost_nano_usd.is_none());
        self.tokens.input = plus(self.tokens.input, call.tokens.input);
        self.tokens.cached_input = plus(self.tokens.cached_input, call.tokens.cached_input);
        self.tokens.cache_write = plus(self.tokens.cache_write, call.tokens.cache_write);
        self.tokens.cache_write_1h = plus(self.tokens.cache_write_1h, call.tokens.cache_write_1h);
        self.tokens.output = plus(self.tokens.output, call.tokens.output);
        self.tokens.reasoning = plus(self.tokens.reasoning, call.tokens.reasoning);
        self.cost_nano_usd = plus(self.cost_nano_usd, row.cost_nano_usd);
    }
}

fn plus(sum: Option<i64>, figure: Option<i64>) -> Option<i64> {
    match (sum, figure) {
        (Some(sum), Some(figure)) => Some(sum.saturating_add(figure)),
        (sum, figure) => sum.or(figure),
    }
}

fn key(call: &MeteredCall) -> Key {
    // What a refused call asked for is its caller's word alone, and would make a row for each.
    let model = if call.refused_code.is_some() { None } else { model(call) };
    (
        call.started_at.day(),
        call.project_id.uuid(),
        call.integration_id.uuid(),
        call.virtual_key_id.uuid(),
        call.provider.clone(),
        model.unwrap_or_default().to_owned(),
    )
}

/// Returns the model, or `None` if it has control characters: a database refuses some of them, which would cost the
/// whole batch.
fn model(call: &MeteredCall) -> Option<&str> {
    call.model.as_deref().filter(|model| !model.contains(char::is_control))
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
         streamed, complete, overhead_us, attempts, cached, settled, credential, refused_code) VALUES ",
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
        call.integration_id.uuid().into(),
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
    ]
}

async fn add_to_days(tx: &SystemTx, tenant_id: TenantId, days: &[(Key, Sums)]) -> Result<(), StoreError> {
    let mut sql = Sql::new(
        "INSERT INTO usage_daily (tenant_id, day, project_id, integration_id, virtual_key_id, provider, model, \
         requests, failed_requests, unknown_token_requests, unpriced_requests, refused_requests, input_tokens, \
         cached_input_tokens, cache_write_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens, \
         cost_nano_usd) VALUES ",
    );
    sql.tuples(days.iter().map(|((day, project, integration, virtual_key, provider, model), sums)| -> [Value; 19] {
        [
            tenant_id.uuid().into(),
            day.clone().into(),
            (*project).into(),
            (*integration).into(),
            (*virtual_key).into(),
            provider.clone().into(),
            model.clone().into(),
            sums.requests.into(),
            sums.failed_requests.into(),
            sums.unknown_token_requests.into(),
            sums.unpriced_requests.into(),
            sums.refused_requests.into(),
            sums.tokens.input.into(),
            sums.tokens.cached_input.into(),
            sums.tokens.cache_write.into(),
            sums.tokens.cache_write_1h.into(),
            sums.tokens.output.into(),
            sums.tokens.reasoning.into(),
            sums.cost_nano_usd.into(),
        ]
    }));
    sql.push(
        " ON CONFLICT (tenant_id, day, project_id, integration_id, virtual_key_id, provider, model) DO UPDATE SET ",
    );
    for column in COUNTS {
        sql.push(&format!("{column} = usage_daily.{column} + excluded.{column}, "));
    }
    for (index, column) in FIGURES.into_iter().enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        // Null plus a figure is that figure; null plus null stays null.
        sql.push(&format!(
            "{comma}{column} = CASE WHEN excluded.{column} IS NULL THEN usage_daily.{column} \
             ELSE COALESCE(usage_daily.{column}, 0) + excluded.{column} END"
        ));
    }
    sql.run(tx).await.map(drop)
}
