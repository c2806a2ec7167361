//! `MeterCalls` (lane `meter`): price proxied calls and append them to the metered ledger, once each.

use std::{collections::HashSet, time::Duration};

use keyway_domain::{IntegrationId, Message, MeteredCall, Outcome, RequestId, Timestamp};
use keyway_providers::Catalog;
use keyway_store::{
    StoreError, integrations, outbox,
    usage::{self, MeteredRow},
};
use keyway_telemetry::metrics;

use super::verify_key::label;
use crate::{Ctx, HandlerError};

/// Shortest time between two probes that refused calls cause; callers can make a provider refuse as often as they like.
const CHECKED_AT_MOST_EVERY: Duration = Duration::from_secs(300);
/// Stands for the price list's version where the provider stated its charge.
const PROVIDERS_CHARGE: &str = "provider";
/// Stands for the price list's version where no provider was asked.
const CACHED: &str = "cache";

/// Appends a batch of calls of one tenant.
pub(super) async fn run(ctx: &Ctx, message: &Message, calls: &[MeteredCall]) -> Result<Outcome, HandlerError> {
    let catalog = ctx.catalog.now();
    let priced: Vec<_> = calls.iter().map(|call| price(&catalog, call)).collect();
    let mut refused: Vec<_> = calls.iter().flat_map(refusals).collect();
    let mut served: Vec<_> = calls.iter().filter_map(proof).collect();
    // Of calls with one secret the latest is proof enough.
    served.sort_unstable_by(|a, b| b.cmp(a));
    served.dedup_by_key(|(id, _)| *id);
    // Before the transaction: one connection is enough.
    let now = if refused.is_empty() { None } else { Some(ctx.store.now().await?) };
    let tx = ctx.store.system().await?;
    let new = match usage::append_metered(&tx, message.tenant_id, priced).await {
        Err(StoreError::Conflict) => {
            tracing::warn!(tenant = %message.tenant_id, calls = calls.len(), "the tenant of metered calls is gone");
            return Ok(Outcome::Done(Vec::new()));
        }
        appended => appended?,
    };
    if let Some(now) = now {
        let new: HashSet<_> = new.iter().map(|row| row.call.request_id).collect();
        refused.retain(|(request_id, _)| new.contains(request_id));
        let refused: Vec<_> = refused.iter().map(|(_, integration_id)| *integration_id).collect();
        integrations::check_soon(&tx, &refused, now, now.before(CHECKED_AT_MOST_EVERY)).await?;
    }
    integrations::served(&tx, message.tenant_id, &served).await?;
    outbox::delete(&tx, &[message.id]).await?;
    tx.commit().await?;
    new.iter().for_each(|row| count(ctx, row));
    Ok(Outcome::Done(Vec::new()))
}

/// Returns the integrations whose secret the provider may have refused, in the last attempt or an earlier one: by an
/// error in the answer, which the proxy has read, or by a status 401 to 403. Only a verification can tell.
fn refusals(call: &MeteredCall) -> impl Iterator<Item = (RequestId, IntegrationId)> + use<> {
    let answered = call.served_by.integration().zip(call.http_status);
    let earlier = call.refused.iter().map(|attempt| (attempt.integration_id, attempt.http_status));
    let by_status = earlier.chain(answered).filter(|(_, status)| matches!(status, 401..=403)).map(|(id, _)| id);
    let mut refused: Vec<_> = by_status.chain(call.doubted.iter().copied()).collect();
    refused.sort_unstable();
    refused.dedup();
    let request_id = call.request_id;
    refused.into_iter().map(move |integration_id| (request_id, integration_id))
}

/// Returns the integration whose secret a call has proved, where no verification could. A cached answer proves nothing,
/// nor does a call with the operator's key.
fn proof(call: &MeteredCall) -> Option<(IntegrationId, Timestamp)> {
    let is_served = call.http_status.is_some_and(|status| (200..300).contains(&status)) && call.complete;
    let served_by = call.served_by.integration().filter(|_| is_served && !call.cached)?;
    Some((served_by, call.started_at))
}

/// Prices a call: by the provider's stated charge, else by its price list. An unknown price or an unknown figure makes
/// the cost unknown, never 0.
fn price(catalog: &Catalog, call: &MeteredCall) -> MeteredRow {
    let listed = || {
        let model = catalog.priced_model(&call.provider, call.model.as_deref(), call.asked_model.as_deref())?;
        model.price.as_ref()?.cost(&call.tokens, &call.terms, call.started_at)
    };
    let (cost_nano_usd, price_version) = match call.cost_nano_usd {
        _ if call.cached => (Some(0), CACHED),
        Some(charged) => (Some(charged), PROVIDERS_CHARGE),
        None => (listed(), catalog.price_version()),
    };
    MeteredRow { call: call.clone(), cost_nano_usd, price_version: cost_nano_usd.map(|_| price_version.to_owned()) }
}

fn count(ctx: &Ctx, priced: &MeteredRow) {
    let provider = label(ctx, &priced.call.provider);
    let add = |direction, tokens: Option<i64>| {
        let tokens = tokens.and_then(|tokens| u64::try_from(tokens).ok()).unwrap_or(0);
        metrics().proxy_tokens.with_label_values(&[provider, direction]).inc_by(tokens);
    };
    add("input", priced.call.tokens.input);
    add("output", priced.call.tokens.output);
    match priced.cost_nano_usd {
        Some(cost) => {
            metrics().proxy_cost_nano_usd.with_label_values(&[provider]).inc_by(u64::try_from(cost).unwrap_or(0))
        }
        None if priced.call.tokens == keyway_domain::TokenCounts::default() => {
            metrics().proxy_unpriced.with_label_values(&[provider, "no_figures"]).inc();
        }
        None => metrics().proxy_unpriced.with_label_values(&[provider, "no_price"]).inc(),
    }
}
