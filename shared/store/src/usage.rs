//! The metered ledger: proxied calls, each once by its request id, and their sums per day.
//!
//! A figure nobody gave stays null in the sums; how many calls had none is counted beside them.

use std::collections::{BTreeMap, HashSet};

use keyway_domain::{MeteredCall, NanoUsd, RequestId, TenantId, TokenCounts};
use sea_orm::Value;
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
    /// What it cost; `None` when price or tokens are unknown.
    pub cost_nano_usd: Option<NanoUsd>,
    /// The price list that was used.
    pub price_version: Option<String>,
}

/// The columns of a day that stay null until somebody gives a figure.
const FIGURES: [&str; 7] = [
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_nano_usd",
];

/// One day of one caller, integration and model.
type Key = (String, Uuid, Uuid, Uuid, String, String);

#[derive(Default)]
struct Sums {
    requests: i64,
    failed_requests: i64,
    unknown_token_requests: i64,
    unpriced_requests: i64,
    tokens: TokenCounts,
    cost_nano_usd: Option<NanoUsd>,
}

/// Appends calls of a tenant and adds those that are new to the sums of their day. Returns the new ones.
///
/// # Errors
/// [`StoreError::Conflict`] when the tenant is gone; otherwise see [`StoreError`].
pub async fn append_metered(
    tx: &SystemTx,
    tenant_id: TenantId,
    rows: &[MeteredRow],
) -> Result<HashSet<RequestId>, StoreError> {
    let mut added = HashSet::new();
    for rows in rows.chunks(chunk(22)) {
        let new = insert_calls(tx, tenant_id, rows).await?;
        let mut seen = HashSet::new();
        let mut days: BTreeMap<Key, Sums> = BTreeMap::new();
        for row in rows {
            let id = row.call.request_id;
            if new.contains(&id) && seen.insert(id) {
                days.entry(key(&row.call)).or_default().add(row);
            }
        }
        let days: Vec<_> = days.into_iter().collect();
        for days in days.chunks(chunk(18)) {
            add_to_days(tx, tenant_id, days).await?;
        }
        added.extend(new);
    }
    Ok(added)
}

impl Sums {
    fn add(&mut self, row: &MeteredRow) {
        let call = &row.call;
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
    (
        call.started_at.day(),
        call.project_id.uuid(),
        call.integration_id.uuid(),
        call.virtual_key_id.uuid(),
        call.provider.clone(),
        model(call).unwrap_or_default().to_owned(),
    )
}

/// One text that a database does not take would cost the whole batch: it is unknown instead.
fn model(call: &MeteredCall) -> Option<&str> {
    call.model.as_deref().filter(|model| !model.contains(char::is_control))
}

async fn insert_calls(
    tx: &SystemTx,
    tenant_id: TenantId,
    rows: &[MeteredRow],
) -> Result<HashSet<RequestId>, StoreError> {
    let mut rows: Vec<_> = rows.iter().collect();
    rows.sort_unstable_by_key(|row| row.call.request_id);
    let mut sql = Sql::new(
        "INSERT INTO metered_calls (request_id, tenant_id, project_id, virtual_key_id, integration_id, provider, \
         model, path, http_status, input_tokens, cached_input_tokens, cache_write_tokens, cache_write_1h_tokens, \
         output_tokens, reasoning_tokens, cost_nano_usd, price_version, started_at_ms, duration_ms, first_byte_ms, streamed, complete) VALUES ",
    );
    sql.tuples(rows.into_iter().map(|row| values(tenant_id, row)));
    sql.push(" ON CONFLICT DO NOTHING RETURNING request_id AS id");
    Ok(sql.ids(tx).await?.into_iter().map(RequestId::from_uuid).collect())
}

fn values(tenant_id: TenantId, row: &MeteredRow) -> [Value; 22] {
    let call = &row.call;
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
        row.cost_nano_usd.into(),
        row.price_version.clone().into(),
        call.started_at.ms().into(),
        call.duration_ms.into(),
        call.first_byte_ms.into(),
        call.streamed.into(),
        call.complete.into(),
    ]
}

async fn add_to_days(tx: &SystemTx, tenant_id: TenantId, days: &[(Key, Sums)]) -> Result<(), StoreError> {
    let mut sql = Sql::new(
        "INSERT INTO usage_daily (tenant_id, day, project_id, integration_id, virtual_key_id, provider, model, \
         requests, failed_requests, unknown_token_requests, unpriced_requests, input_tokens, cached_input_tokens, \
         cache_write_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens, cost_nano_usd) VALUES ",
    );
    sql.tuples(days.iter().map(|((day, project, integration, virtual_key, provider, model), sums)| -> [Value; 18] {
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
    for column in ["requests", "failed_requests", "unknown_token_requests", "unpriced_requests"] {
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
