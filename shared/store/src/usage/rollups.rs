//! What a batch of calls changes in the sums: gathered first, then written once for each row and in one order, so that no
//! two batches wait for each other in a circle.
//!
//! An unknown figure never becomes zero: it stays null in a sum, and the calls without it are counted beside it.

use std::collections::{BTreeMap, BTreeSet};

use keyway_domain::{MeteredCall, NanoUsd, ServedBy, TenantId, Timestamp, TokenCounts, durations};
use sea_orm::Value;
use uuid::Uuid;

use super::row::{MeteredRow, model};
use crate::{
    StoreError, SystemTx,
    slices::{HOUR, Slice},
    sql::{Sql, chunk},
};

/// Columns that count calls.
const COUNTS: [&str; 6] = [
    "requests",
    "failed_requests",
    "unknown_token_requests",
    "unpriced_requests",
    "refused_requests",
    "unknown_answered_requests",
];

/// Columns that stay null until a call gives a figure.
const FIGURES: [&str; 7] = [
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_nano_usd",
];

/// Whose calls a row sums, as finely as any slice does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Origin {
    hour: Timestamp,
    project_id: Uuid,
    integration_id: Uuid,
    virtual_key_id: Uuid,
    provider: String,
    model: String,
    credential: &'static str,
}

impl Origin {
    pub(super) fn of(call: &MeteredCall) -> Self {
        let is_refused = call.refused_code.is_some();
        // What a refused call asked for is its caller's word alone, and would make a row for each.
        let model = if is_refused { None } else { model(call) };
        Self {
            hour: call.started_at.floor(HOUR),
            project_id: call.project_id.uuid(),
            integration_id: call.served_by.uuid(),
            virtual_key_id: call.virtual_key_id.uuid(),
            provider: call.provider.clone(),
            model: model.unwrap_or_default().to_owned(),
            credential: match call.served_by {
                ServedBy::Integration(_) => "own",
                ServedBy::NoIntegration if is_refused => "",
                ServedBy::NoIntegration => "fallback",
            },
        }
    }

    /// Returns the row of a slice that sums it.
    fn within(&self, slice: Slice) -> Self {
        let whole = self.clone();
        Self {
            hour: slice.start(whole.hour),
            integration_id: if slice.has_integration() { whole.integration_id } else { Uuid::nil() },
            virtual_key_id: if slice.has_key() { whole.virtual_key_id } else { Uuid::nil() },
            model: if slice.has_model() { whole.model } else { String::new() },
            ..whole
        }
    }
}

/// Sums of some calls.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    requests: i64,
    failed_requests: i64,
    unknown_token_requests: i64,
    unpriced_requests: i64,
    refused_requests: i64,
    unknown_answered_requests: i64,
    tokens: TokenCounts,
    cost_nano_usd: Option<NanoUsd>,
}

/// UTC day, project, provider and bucket of a histogram.
type Bucket = (i64, Uuid, String, i64);

/// What is to be written.
#[derive(Debug, Default)]
pub(super) struct Changes {
    sums: BTreeMap<Origin, Sums>,
    /// What only the rollups take back or add: the daily sums have it already.
    rolled: BTreeMap<Origin, Sums>,
    durations: BTreeMap<Bucket, i64>,
    taken: BTreeSet<Timestamp>,
}

impl Changes {
    /// Adds a call that is new to all sums.
    pub(super) fn add(&mut self, row: &MeteredRow) {
        self.sums.entry(Origin::of(&row.call)).or_default().add(row);
        self.time(&row.call);
    }

    /// Adds a call that is in the daily sums already.
    pub(super) fn add_left(&mut self, row: &MeteredRow) {
        self.rolled.entry(Origin::of(&row.call)).or_default().add(row);
        self.time(&row.call);
    }

    /// Takes back the counts that [`Self::add`] made for a settled call, whose figures are all unknown.
    pub(super) fn take_settled(&mut self, origin: Origin, is_rolled_up: bool) {
        self.taken.insert(origin.hour);
        if !is_rolled_up {
            // The daily sums alone have it: give the rollups what they are about to lose.
            self.rolled.entry(origin.clone()).or_default().settle(1);
        }
        self.sums.entry(origin).or_default().settle(-1);
    }

    fn time(&mut self, call: &MeteredCall) {
        // Nobody knows how long a settled call took, and a refused one took no provider's time.
        if !call.settled && call.refused_code.is_none() {
            let day = Slice::DayTotal.start(call.started_at);
            let bucket = (day.ms(), call.project_id.uuid(), call.provider.clone(), durations::bucket(call.duration_ms));
            *self.durations.entry(bucket).or_default() += 1;
        }
    }

    /// Writes the changes; rows that count nothing afterwards are deleted.
    pub(super) async fn write(self, tx: &SystemTx, tenant_id: TenantId) -> Result<(), StoreError> {
        let mut days: BTreeMap<Origin, Sums> = BTreeMap::new();
        for (origin, sums) in &self.sums {
            let day = Origin { hour: Slice::DayTotal.start(origin.hour), credential: "", ..origin.clone() };
            days.entry(day).or_default().merge(sums);
        }
        let mut rows: BTreeMap<(Slice, Origin), Sums> = BTreeMap::new();
        for (origin, sums) in self.sums.iter().chain(&self.rolled) {
            for slice in Slice::ALL {
                rows.entry((slice, origin.within(slice))).or_default().merge(sums);
            }
        }
        let days: Vec<_> = days.into_iter().collect();
        for days in days.chunks(chunk(19)) {
            add_to_days(tx, tenant_id, days).await?;
        }
        let rows: Vec<_> = rows.into_iter().collect();
        for rows in rows.chunks(chunk(22)) {
            add_to_rollups(tx, tenant_id, rows).await?;
        }
        let durations: Vec<_> = self.durations.into_iter().collect();
        for durations in durations.chunks(chunk(6)) {
            add_to_durations(tx, tenant_id, durations).await?;
        }
        if self.taken.is_empty() { Ok(()) } else { delete_empty(tx, tenant_id, &self.taken).await }
    }
}

impl Sums {
    /// Counts a settled call, or takes it back.
    const fn settle(&mut self, calls: i64) {
        self.requests += calls;
        self.failed_requests += calls;
        self.unknown_token_requests += calls;
        self.unpriced_requests += calls;
    }

    fn add(&mut self, row: &MeteredRow) {
        let call = &row.call;
        if call.refused_code.is_some() {
            self.refused_requests += 1;
            return;
        }
        let has_failed = call.http_status.is_none_or(|status| status >= 400);
        let is_unknown = call.tokens.input.is_none() || call.tokens.output.is_none();
        self.requests += 1;
        self.failed_requests += i64::from(has_failed);
        self.unknown_token_requests += i64::from(is_unknown);
        self.unpriced_requests += i64::from(row.cost_nano_usd.is_none());
        self.unknown_answered_requests += i64::from(is_unknown && !has_failed);
        self.figures(&call.tokens, row.cost_nano_usd);
    }

    fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.failed_requests += other.failed_requests;
        self.unknown_token_requests += other.unknown_token_requests;
        self.unpriced_requests += other.unpriced_requests;
        self.refused_requests += other.refused_requests;
        self.unknown_answered_requests += other.unknown_answered_requests;
        self.figures(&other.tokens, other.cost_nano_usd);
    }

    fn figures(&mut self, tokens: &TokenCounts, cost_nano_usd: Option<NanoUsd>) {
        self.tokens.input = plus(self.tokens.input, tokens.input);
        self.tokens.cached_input = plus(self.tokens.cached_input, tokens.cached_input);
        self.tokens.cache_write = plus(self.tokens.cache_write, tokens.cache_write);
        self.tokens.cache_write_1h = plus(self.tokens.cache_write_1h, tokens.cache_write_1h);
        self.tokens.output = plus(self.tokens.output, tokens.output);
        self.tokens.reasoning = plus(self.tokens.reasoning, tokens.reasoning);
        self.cost_nano_usd = plus(self.cost_nano_usd, cost_nano_usd);
    }

    fn counts(&self) -> [Value; 5] {
        [
            self.requests.into(),
            self.failed_requests.into(),
            self.unknown_token_requests.into(),
            self.unpriced_requests.into(),
            self.refused_requests.into(),
        ]
    }

    fn values(&self) -> [Value; 7] {
        [
            self.tokens.input.into(),
            self.tokens.cached_input.into(),
            self.tokens.cache_write.into(),
            self.tokens.cache_write_1h.into(),
            self.tokens.output.into(),
            self.tokens.reasoning.into(),
            self.cost_nano_usd.into(),
        ]
    }
}

fn plus(sum: Option<i64>, figure: Option<i64>) -> Option<i64> {
    match (sum, figure) {
        (Some(sum), Some(figure)) => Some(sum.saturating_add(figure)),
        (sum, figure) => sum.or(figure),
    }
}

async fn add_to_days(tx: &SystemTx, tenant_id: TenantId, days: &[(Origin, Sums)]) -> Result<(), StoreError> {
    let mut sql =
        begin("usage_daily", "day, project_id, integration_id, virtual_key_id, provider, model", &COUNTS[..5]);
    sql.rows_of(days.iter().map(|(of, sums)| {
        let key: [Value; 7] = [
            tenant_id.uuid().into(),
            of.hour.day().into(),
            of.project_id.into(),
            of.integration_id.into(),
            of.virtual_key_id.into(),
            of.provider.clone().into(),
            of.model.clone().into(),
        ];
        key.into_iter().chain(sums.counts()).chain(sums.values())
    }));
    let key = "tenant_id, day, project_id, integration_id, virtual_key_id, provider, model";
    merge_into(&mut sql, "usage_daily", key, &COUNTS[..5]);
    sql.run(tx).await.map(drop)
}

async fn add_to_rollups(
    tx: &SystemTx,
    tenant_id: TenantId,
    rows: &[((Slice, Origin), Sums)],
) -> Result<(), StoreError> {
    let names = "slice, start_ms, project_id, integration_id, virtual_key_id, provider, model, credential";
    let mut sql = begin("usage_rollups", names, &COUNTS);
    sql.rows_of(rows.iter().map(|((slice, of), sums)| {
        let key: [Value; 9] = [
            tenant_id.uuid().into(),
            slice.name().into(),
            of.hour.ms().into(),
            of.project_id.into(),
            of.integration_id.into(),
            of.virtual_key_id.into(),
            of.provider.clone().into(),
            of.model.clone().into(),
            of.credential.into(),
        ];
        let answered = [Value::from(sums.unknown_answered_requests)];
        key.into_iter().chain(sums.counts()).chain(answered).chain(sums.values())
    }));
    merge_into(&mut sql, "usage_rollups", &format!("tenant_id, {names}"), &COUNTS);
    sql.run(tx).await.map(drop)
}

async fn add_to_durations(tx: &SystemTx, tenant_id: TenantId, rows: &[(Bucket, i64)]) -> Result<(), StoreError> {
    let key = "tenant_id, start_ms, project_id, provider, bucket_ms";
    let mut sql = Sql::new(&format!("INSERT INTO call_durations ({key}, calls) VALUES "));
    sql.tuples(rows.iter().map(|((day_ms, project_id, provider, bucket_ms), calls)| -> [Value; 6] {
        let (project_id, provider) = ((*project_id).into(), provider.clone().into());
        [tenant_id.uuid().into(), (*day_ms).into(), project_id, provider, (*bucket_ms).into(), (*calls).into()]
    }));
    sql.push(&format!(" ON CONFLICT ({key}) DO UPDATE SET calls = call_durations.calls + excluded.calls"));
    sql.run(tx).await.map(drop)
}

fn begin(table: &str, key: &str, counts: &[&str]) -> Sql {
    Sql::new(&format!("INSERT INTO {table} (tenant_id, {key}, {}, {}) VALUES ", counts.join(", "), FIGURES.join(", ")))
}

/// Goes on with the addition to rows that are there.
fn merge_into(sql: &mut Sql, table: &str, key: &str, counts: &[&str]) {
    let counts = counts.iter().map(|column| format!("{column} = {table}.{column} + excluded.{column}"));
    // Null plus a figure is that figure; null plus null stays null.
    let figures = FIGURES.iter().map(|column| {
        format!(
            "{column} = CASE WHEN excluded.{column} IS NULL THEN {table}.{column} \
             ELSE COALESCE({table}.{column}, 0) + excluded.{column} END"
        )
    });
    let columns: Vec<_> = counts.chain(figures).collect();
    sql.push(&format!(" ON CONFLICT ({key}) DO UPDATE SET {}", columns.join(", ")));
}

/// Deletes rows that count nothing once a settled call was taken back.
async fn delete_empty(tx: &SystemTx, tenant_id: TenantId, taken: &BTreeSet<Timestamp>) -> Result<(), StoreError> {
    let mut sql = Sql::new("DELETE FROM usage_daily WHERE requests = 0 AND refused_requests = 0 AND tenant_id = ");
    sql.bind(tenant_id.uuid()).push(" AND day IN (").list(taken.iter().map(|hour| hour.day())).push(")");
    sql.run(tx).await?;
    let starts: BTreeSet<_> = taken.iter().flat_map(|hour| [hour.ms(), Slice::DayTotal.start(*hour).ms()]).collect();
    let mut sql = Sql::new("DELETE FROM usage_rollups WHERE requests = 0 AND refused_requests = 0 AND tenant_id = ");
    sql.bind(tenant_id.uuid()).push(" AND slice IN (").list(Slice::ALL.map(Slice::name));
    sql.push(") AND start_ms IN (").list(starts).push(")");
    sql.run(tx).await.map(drop)
}
