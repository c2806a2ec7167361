//! The metered ledger: each proxied call once, priced where there is a price.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use keyway_domain::{
    Body, Command, IntegrationId, Ledger, Message, MessageId, MeteredCall, PriceTerms, RequestId, ServedBy, TenantId,
    Timestamp, TokenCounts, VirtualKeyId,
};
use keyway_providers::Catalog;
use keyway_store::usage_report::{self, GroupBy, MAX_GROUPS, ReportQuery, UsageGroup};

use crate::{
    observe::until,
    world::{World, in_both},
};

const HOUR: Duration = Duration::from_secs(3600);
const MODELS: &str = include_str!("../../../models.yaml");
/// Price of gpt-4o-mini, before and after it rises tenfold.
const OLD_PRICE: &str = r#"{ input: "0.15", cached_input: "0.075", cache_write: "0.15", output: "0.6" }"#;
const NEW_PRICE: &str = r#"{ input: "1.5", cached_input: "0.075", cache_write: "0.15", output: "0.6" }"#;

in_both! {
    invariant_3_a_batch_delivered_twice_is_counted_once
    a_call_that_was_refused_has_its_key_verified_soon
    a_batch_of_a_tenant_that_is_gone_is_let_go
    a_price_that_changes_is_that_of_later_calls_alone
    what_was_answered_from_memory_cost_nothing_and_that_is_known
    a_call_is_priced_by_its_terms_its_moment_and_the_model_that_was_asked_for
}

/// A call that was served just now.
pub(crate) fn call(world: &World, model: &str, tokens: TokenCounts) -> MeteredCall {
    let project_id = world.tenant.project;
    let by = (project_id, VirtualKeyId::from_uuid(project_id.uuid()));
    let integration_id = IntegrationId::from_uuid(project_id.uuid());
    let (path, begun) = ("/v1/chat/completions", Timestamp::now());
    MeteredCall {
        model: Some(model.to_owned()),
        http_status: Some(200),
        tokens,
        duration_ms: 12,
        first_byte_ms: Some(9),
        complete: true,
        ..MeteredCall::begun(RequestId::new(), by, ServedBy::Integration(integration_id), "openai", path, begun)
    }
}

fn listed_cost(world: &World, tokens: &TokenCounts) -> Result<i64> {
    let (catalog, terms) = (world.catalog.now(), PriceTerms::default());
    catalog.cost("openai", "gpt-4o-mini", tokens, &terms, Timestamp::now()).context("a price")
}

fn batch(tenant_id: TenantId, calls: Vec<MeteredCall>) -> Message {
    Message::new(MessageId::new(), tenant_id, Body::Command(Command::MeterCalls { calls }))
}

/// Also invariant 6: a price or figure that nobody knows stays unknown, and is counted as such.
async fn invariant_3_a_batch_delivered_twice_is_counted_once(world: &mut World) -> Result<()> {
    let tokens = TokenCounts { input: Some(100), output: Some(20), ..TokenCounts::default() };
    let calls = vec![
        call(world, "gpt-4o-mini", tokens),
        call(world, "a-model-without-a-price", tokens),
        call(world, "gpt-4o-mini", TokenCounts::default()),
    ];
    let message = batch(world.tenant.id, calls.clone());
    world.start()?;
    world.publish(&[message.clone(), message.clone()]).await?;
    let count = "SELECT count(*) AS n FROM metered_calls";
    until("the calls are in the ledger", async || Ok(world.number(count).await? == 3)).await?;
    world.publish(&[message]).await?;
    let more = batch(world.tenant.id, vec![call(world, "gpt-4o-mini", tokens), calls[0].clone()]);
    world.publish(&[more]).await?;
    until("the later batch is in the ledger", async || Ok(world.number(count).await? == 4)).await?;
    world.settle().await?;
    ensure!(world.number(count).await? == 4);
    let unpriced = "SELECT count(*) AS n FROM metered_calls WHERE cost_nano_usd IS NULL AND price_version IS NULL";
    ensure!(world.number(unpriced).await? == 2);
    let report = report(world).await?;
    let of = |model: &str| report.iter().find(|group| group.model.as_deref() == Some(model)).context("no such group");
    let (priced, unknown) = (of("gpt-4o-mini")?, of("a-model-without-a-price")?);
    let one = listed_cost(world, &tokens)?;
    ensure!(priced.requests == Some(3) && priced.tokens.input == Some(200), "{priced:?}");
    ensure!(priced.cost_nano_usd == Some(2 * one) && priced.unpriced_requests == Some(1), "{priced:?}");
    ensure!(priced.unknown_token_requests == Some(1), "{priced:?}");
    ensure!(unknown.cost_nano_usd.is_none() && unknown.unpriced_requests == Some(1), "unknown became 0: {unknown:?}");
    Ok(())
}

async fn a_call_that_was_refused_has_its_key_verified_soon(world: &mut World) -> Result<()> {
    let submitted = world.place(world.tenant, "sk-sim-good-1").await?;
    let (checked, due) = (Timestamp::now().before(HOUR), Timestamp::now().after(HOUR));
    let any = MeteredCall {
        served_by: ServedBy::Integration(submitted.id),
        ..call(world, "gpt-4o-mini", TokenCounts::default())
    };
    world.start()?;
    let due_ms = "SELECT next_check_at_ms AS n FROM integrations";
    let calls = "SELECT count(*) AS n FROM metered_calls";
    for (rows, (status, checked_at, verified)) in
        (1..).zip([(429, checked, false), (200, checked, false), (401, Timestamp::now(), false), (401, checked, true)])
    {
        let times =
            format!("status = 'connected', next_check_at_ms = {}, checked_at_ms = {}", due.ms(), checked_at.ms());
        world.execute(&format!("UPDATE integrations SET {times}")).await?;
        let one = MeteredCall { request_id: RequestId::new(), http_status: Some(status), ..any.clone() };
        world.publish(&[batch(world.tenant.id, vec![one])]).await?;
        until("the call is in the ledger", async || Ok(world.number(calls).await? == rows)).await?;
        if verified {
            until("the key was asked about", async || Ok(!world.simulator.all_calls().is_empty())).await?;
        } else {
            ensure!(world.number(due_ms).await? == due.ms(), "{status}");
        }
    }
    let verified = async || Ok(world.history(&submitted).await?.len() == 1);
    until("it is verified", verified).await
}

async fn a_batch_of_a_tenant_that_is_gone_is_let_go(world: &mut World) -> Result<()> {
    world.start()?;
    let orphan = batch(TenantId::new(), vec![call(world, "gpt-4o-mini", TokenCounts::default())]);
    world.publish(&[orphan]).await?;
    let own = batch(world.tenant.id, vec![call(world, "gpt-4o-mini", TokenCounts::default())]);
    world.publish(&[own]).await?;
    let count = "SELECT count(*) AS n FROM metered_calls";
    until("the other batch is in the ledger", async || Ok(world.number(count).await? == 1)).await?;
    world.settle().await?;
    ensure!(world.number(count).await? == 1);
    Ok(())
}

async fn a_price_that_changes_is_that_of_later_calls_alone(world: &mut World) -> Result<()> {
    let tokens = TokenCounts { input: Some(100), output: Some(20), ..TokenCounts::default() };
    let (count, sum) = (
        "SELECT count(*) AS n FROM metered_calls",
        "SELECT CAST(sum(cost_nano_usd) AS BIGINT) AS n FROM metered_calls",
    );
    let versions = "SELECT count(DISTINCT price_version) AS n FROM metered_calls";
    world.start()?;
    world.publish(&[batch(world.tenant.id, vec![call(world, "gpt-4o-mini", tokens)])]).await?;
    until("the call is in the ledger", async || Ok(world.number(count).await? == 1)).await?;
    let before = listed_cost(world, &tokens)?;
    ensure!(world.number(sum).await? == before);
    world.catalog.replace(Catalog::parse(&MODELS.replace(OLD_PRICE, NEW_PRICE))?);
    world.publish(&[batch(world.tenant.id, vec![call(world, "gpt-4o-mini", tokens)])]).await?;
    until("the other call is in the ledger", async || Ok(world.number(count).await? == 2)).await?;
    let input_tokens = 100;
    ensure!(world.number(sum).await? == 2 * before + input_tokens * 1_350, "{before}");
    ensure!(world.number(versions).await? == 2, "each keeps the version it was priced by");
    Ok(())
}

async fn a_call_is_priced_by_its_terms_its_moment_and_the_model_that_was_asked_for(world: &mut World) -> Result<()> {
    let tokens = TokenCounts { input: Some(1000), output: Some(300), ..TokenCounts::default() };
    let terms = |tier: &str| PriceTerms { service_tier: Some(tier.to_owned()), ..PriceTerms::default() };
    let on = |provider: &str, model: &str| MeteredCall { provider: provider.to_owned(), ..call(world, model, tokens) };
    let answered = |provider: &str, model: &str, asked: &str| MeteredCall {
        asked_model: Some(asked.to_owned()),
        ..on(provider, model)
    };
    let at = |text: &str| Timestamp::parse(text).context("a time");
    let calls = [
        (MeteredCall { terms: terms("priority"), ..on("openai", "gpt-6-sol") }, Some(10_000_000)),
        (MeteredCall { terms: terms("golden"), ..on("openai", "gpt-6-sol") }, None),
        (MeteredCall { started_at: at("2026-11-27T02:00:00Z")?, ..on("deepseek", "deepseek-v4-pro") }, Some(2_508_000)),
        (MeteredCall { started_at: at("2026-11-27T12:00:00Z")?, ..on("deepseek", "deepseek-v4-pro") }, Some(1_254_000)),
        (answered("gemini", "gemini-2.5-flash-preview-09-2025", "gemini-2.5-flash"), Some(1_050_000)),
        (answered("mistral", "mistral-small-2605", "mistral-small-latest"), Some(330_000)),
        (answered("openai", "gpt-5.4-mini-foo", "gpt-5.4"), None),
    ];
    world.start()?;
    world.publish(&[batch(world.tenant.id, calls.iter().map(|(call, _)| call.clone()).collect())]).await?;
    let count = "SELECT count(*) AS n FROM metered_calls";
    until("the calls are in the ledger", async || Ok(world.number(count).await? == 7)).await?;
    let priced = "SELECT count(*) AS n FROM metered_calls WHERE cost_nano_usd";
    for (call, cost) in calls {
        let is = cost.map_or("IS NULL".to_owned(), |cost: i64| format!("= {cost}"));
        let model = call.model.unwrap_or_default();
        let found = world.number(&format!("{priced} {is} AND model = '{model}'")).await?;
        ensure!(found == 1, "{model} {:?} {is}: {found}", call.terms);
    }
    Ok(())
}

async fn what_was_answered_from_memory_cost_nothing_and_that_is_known(world: &mut World) -> Result<()> {
    let none = TokenCounts { input: Some(0), output: Some(0), ..TokenCounts::default() };
    let cached = MeteredCall { cached: true, attempts: 0, ..call(world, "a-model-without-a-price", none) };
    world.start()?;
    world.publish(&[batch(world.tenant.id, vec![cached])]).await?;
    let free = "SELECT count(*) AS n FROM metered_calls WHERE cost_nano_usd = 0 AND price_version = 'cache'";
    until("the call is in the ledger", async || Ok(world.number(free).await? == 1)).await?;
    let groups = report(world).await?;
    ensure!(groups.len() == 1 && groups[0].cost_nano_usd == Some(0), "{groups:?}");
    ensure!(groups[0].unpriced_requests == Some(0) && groups[0].unknown_token_requests == Some(0), "{groups:?}");
    Ok(())
}

async fn report(world: &World) -> Result<Vec<UsageGroup>> {
    let tx = world.store.tenant_read(world.tenant.id).await?;
    let day = std::time::Duration::from_secs(86_400);
    let (from, to) = (Timestamp::now().before(day), Timestamp::now().after(day));
    let (group_by, ledger, groups) = (vec![GroupBy::Model], Ledger::Metered, MAX_GROUPS);
    let query = ReportQuery { from, to, group_by, ledger, only: Default::default(), after: None, groups };
    Ok(usage_report::report(&tx, &query).await?.items)
}
