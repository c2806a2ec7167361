//! The reported ledger: the provider's figures, or the reason why there are none.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use http::{HeaderMap, HeaderValue, header};
use keyway_domain::{Code, Command, Ledger, OperationState, Timestamp, UsageWindow};
use keyway_providers::{GuardedClient, guard::Question};
use keyway_store::usage_report::{self, GroupBy, MAX_GROUPS, ReportQuery};
use keyway_testkit::{
    replay::{Fixture, Replay},
    simulator::{Fault, Script},
};

use crate::{
    fan_out::two_days,
    world::{World, in_both},
};

in_both! {
    reported_rows_are_the_providers_own_figures
    invariant_6_an_ordinary_key_reports_a_reason_and_never_a_zero
    a_fetch_that_stopped_goes_on_where_it_was
    what_is_yet_to_come_is_fetched_when_it_is_there
    a_report_that_is_renewed_rarely_is_read_rarely
}

const COMPLETIONS: &str = "usage.completions";
const HOUR: Duration = Duration::from_secs(3600);

async fn reported_rows_are_the_providers_own_figures(world: &mut World) -> Result<()> {
    let submitted = world.place(world.tenant, "sk-admin-sim-a").await?;
    let fetch = Command::FetchUsage { integration_id: submitted.id, window: two_days(), resume: None };
    world.start()?;
    let (requests, input) = figures(world, &submitted.key).await?;
    for _ in 0..2 {
        let message = world.command(world.tenant, fetch.clone()).await?;
        let operation = world.ended(&message).await?;
        ensure!(operation.state == OperationState::Succeeded && operation.attempt == 1, "{operation:?}");
        let sum = |column: &str| {
            format!("SELECT CAST(sum({column}) AS BIGINT) AS n FROM reported_usage WHERE source = '{COMPLETIONS}'")
        };
        ensure!(world.number(&sum("requests")).await? == requests);
        ensure!(world.number(&sum("input_tokens")).await? == input);
        let rows = world.number("SELECT count(*) AS n FROM reported_usage").await?;
        ensure!(rows == 2 * 48 + 48 + 2 * 2, "{rows} rows");
    }
    let moved = world.number("SELECT count(*) AS n FROM usage_cursors WHERE revision > 0").await?;
    ensure!(moved == 3, "{moved} cursors for 3 reports");
    Ok(())
}

async fn invariant_6_an_ordinary_key_reports_a_reason_and_never_a_zero(world: &mut World) -> Result<()> {
    let submitted = world.place(world.tenant, "sk-sim-good-1").await?;
    world.start()?;
    let fetch = Command::FetchUsage { integration_id: submitted.id, window: two_days(), resume: None };
    let message = world.command(world.tenant, fetch).await?;
    let operation = world.ended(&message).await?;
    ensure!(operation.state == OperationState::Succeeded, "{operation:?}");
    let why = world.integration(&submitted).await?.usage_not_reportable.context("no reason is given")?;
    ensure!(why.contains("admin key"), "{why}");
    let tx = world.store.tenant_read(world.tenant.id).await?;
    let window = two_days();
    let group_by = vec![GroupBy::Integration];
    let (from, to, ledger, groups) = (window.from, window.to, Ledger::Reported, MAX_GROUPS);
    let query = ReportQuery { from, to, group_by, ledger, only: Default::default(), after: None, groups };
    let report = usage_report::report(&tx, &query).await?;
    ensure!(report.items.is_empty(), "unknown became a figure: {report:?}");
    ensure!(world.simulator.all_calls().is_empty(), "the provider was asked in vain");
    Ok(())
}

async fn a_fetch_that_stopped_goes_on_where_it_was(world: &mut World) -> Result<()> {
    let submitted = world.place(world.tenant, "sk-admin-sim-a").await?;
    let key = submitted.key.clone();
    world.simulator.script(Script { key: key.clone(), fault: Fault::Circle, times: None, latency_ms: 0 });
    world.start()?;
    let fetch = Command::FetchUsage { integration_id: submitted.id, window: two_days(), resume: None };
    let message = world.command(world.tenant, fetch).await?;
    let operation = world.deferred(&message, 2).await?;
    ensure!(operation.error == Some(Code::BadAnswer), "{operation:?}");
    world.simulator.script(Script { key, fault: Fault::None, times: None, latency_ms: 0 });
    let operation = world.hastened(&message).await?;
    ensure!(operation.state == OperationState::Succeeded, "{operation:?}");
    let rows = world.number("SELECT count(*) AS n FROM reported_usage").await?;
    ensure!(rows == 2 * 48 + 48 + 2 * 2, "{rows} rows");
    let calls = world.simulator.calls(&submitted.key, "/v1/organization/usage/completions");
    ensure!(calls == 3, "the first of two pages was asked for once and the second twice, not {calls} times in all");
    Ok(())
}

async fn what_is_yet_to_come_is_fetched_when_it_is_there(world: &mut World) -> Result<()> {
    let submitted = world.place(world.tenant, "sk-admin-sim-a").await?;
    world.start()?;
    let now = Timestamp::now();
    for (from, to) in [(now.before(HOUR), now.after(30 * 24 * HOUR)), (now.after(10 * HOUR), now.after(20 * HOUR))] {
        let window = UsageWindow { from, to };
        let fetch = Command::FetchUsage { integration_id: submitted.id, window, resume: None };
        let message = world.command(world.tenant, fetch).await?;
        let operation = world.ended(&message).await?;
        ensure!(operation.state == OperationState::Succeeded, "{operation:?}");
    }
    let furthest = world.number("SELECT max(fetched_to_ms) AS n FROM usage_cursors").await?;
    ensure!(furthest <= Timestamp::now().ms(), "a cursor is ahead of time: {furthest}");
    Ok(())
}

async fn a_report_that_is_renewed_rarely_is_read_rarely(world: &mut World) -> Result<()> {
    let openrouter = Replay::start(vec![Fixture::load("openrouter/activity_ok")?]).await?;
    world.guard.trusted.push(openrouter.host.clone());
    let base_url = format!("{}/api/v1", openrouter.root);
    let submitted = world.place_at("openrouter", &base_url, "sk-or-v1-canary-0123456789").await?;
    world.start()?;
    let now = Timestamp::now();
    let (recent, old) = ((now.before(HOUR), now), (now.before(20 * HOUR), now.before(10 * HOUR)));
    for ((from, to), asked) in [(recent, 1), (recent, 1), (old, 2)] {
        let window = UsageWindow { from, to };
        let fetch = Command::FetchUsage { integration_id: submitted.id, window, resume: None };
        let message = world.command(world.tenant, fetch).await?;
        let operation = world.ended(&message).await?;
        ensure!(operation.state == OperationState::Succeeded, "{operation:?}");
        ensure!(openrouter.received().len() == asked, "asked {} times, not {asked}", openrouter.received().len());
    }
    Ok(())
}

/// Requests and input tokens of the window, as the simulator itself reports them on one page.
async fn figures(world: &World, key: &str) -> Result<(i64, i64)> {
    let window = two_days();
    let url = format!(
        "{}/organization/usage/completions?start_time={}&end_time={}&bucket_width=1h&group_by=model&limit=168",
        world.simulator.base_url,
        window.from.seconds(),
        window.to.seconds()
    );
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {key}"))?);
    let question = Question::get(url.parse()?, headers);
    let answer = GuardedClient::new(&world.guard)?.ask(question).await?;
    let page: serde_json::Value = serde_json::from_slice(&answer.body)?;
    let buckets = page["data"].as_array().context("no data")?;
    let results = buckets.iter().filter_map(|bucket| bucket["results"].as_array()).flatten();
    let figure = |result: &serde_json::Value, name| result[name].as_i64().unwrap_or(0);
    Ok(results.fold((0, 0), |(requests, input), result| {
        (requests + figure(result, "num_model_requests"), input + figure(result, "input_tokens"))
    }))
}
