//! `MeterCalls` (lane `meter`): price proxied calls and append them to the metered ledger, once each.

use keyway_domain::{Message, MeteredCall, Outcome};
use keyway_store::{
    StoreError,
    usage::{self, MeteredRow},
};
use keyway_telemetry::metrics;

use super::verify_key::label;
use crate::{Ctx, HandlerError};

/// Appends a batch of calls of one tenant.
pub(super) async fn run(ctx: &Ctx, message: &Message, calls: &[MeteredCall]) -> Result<Outcome, HandlerError> {
    let priced: Vec<_> = calls.iter().map(|call| price(ctx, call)).collect();
    let tx = ctx.store.system().await?;
    let new = match usage::append_metered(&tx, message.tenant_id, &priced).await {
        Err(StoreError::Conflict) => {
            tracing::warn!(tenant = %message.tenant_id, calls = calls.len(), "the tenant of metered calls is gone");
            return Ok(Outcome::Done(Vec::new()));
        }
        appended => appended?,
    };
    tx.commit().await?;
    priced.iter().filter(|row| new.contains(&row.call.request_id)).for_each(|row| count(ctx, row));
    Ok(Outcome::Done(Vec::new()))
}

/// An unknown price or an unknown figure makes the cost unknown, never 0.
fn price(ctx: &Ctx, call: &MeteredCall) -> MeteredRow {
    let cost_nano_usd = call.model.as_deref().and_then(|model| ctx.catalog.cost(&call.provider, model, &call.tokens));
    MeteredRow {
        call: call.clone(),
        cost_nano_usd,
        price_version: cost_nano_usd.map(|_| ctx.catalog.price_version().to_owned()),
    }
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
