//! Limits that hold across processes: three of them, one virtual key, one of them killed in the middle. The calls to
//! the provider and the ledger's cost never exceed the limit by more than promised.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt as _, stream};
use keyway_domain::{Timestamp, VirtualKeyId};
use reqwest::Method;
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};

use crate::{
    harness::{Api, Database, Keyway, text, until},
    session::ended,
};

const CHAT: &str = "/v1/chat/completions";
const SECRET: &str = "sk-sim-good-limits";
const REPLICAS: usize = 3;
const AT_ONCE: usize = 24;
const REQUESTS: u64 = 1000;
const ONE_USD: i64 = 1_000_000_000;
/// Cost of one call at 2.50 and 10 US dollars for a million tokens: a thousand words in, eight out.
const COST: i64 = 1000 * 2500 + 8 * 10_000;

/// A virtual key of the installation.
struct Key {
    id: VirtualKeyId,
    text: String,
}

/// Results of many calls.
#[derive(Default)]
struct Tally {
    passed: AtomicUsize,
    refused: AtomicUsize,
    broken: AtomicUsize,
}

#[tokio::test]
async fn three_processes_never_let_more_through_than_one_limit() -> Result<()> {
    let mut keyway = Keyway::cluster(REPLICAS, 1).await?;
    let api = keyway.api()?.clone();
    let accepted = api.post("/integrations", keyway.openai("prod", SECRET), 202).await?;
    ended(&api, &text(&accepted, "/operation/id")?).await?;
    let database = keyway.database().await?;

    // A thousand requests, whoever serves them.
    let key = virtual_key(&api, &database, json!({ "requests_per_minute": REQUESTS })).await?;
    let tally = drive(&keyway, &key, &cheap(), 1300).await?;
    let calls = keyway.simulator.calls(SECRET, CHAT);
    ensure!(calls <= REQUESTS, "{calls} calls reached the provider");
    ensure!(calls == tally.passed() && calls >= REQUESTS * 9 / 10, "{calls} calls, {} passed", tally.passed());
    ensure!(tally.broken.load(Relaxed) == 0);

    // One US dollar, with one process killed on the way and back again.
    let limits = json!({ "daily_budget_nano_usd": ONE_USD, "requests_per_minute": REQUESTS });
    let key = virtual_key(&api, &database, limits).await?;
    let first = drive(&keyway, &key, &dear(), 120).await?;
    let killed = kill_while_calling(&mut keyway, &key).await?;
    keyway.respawn(0)?;
    keyway.ready(0).await?;
    let last = drive(&keyway, &key, &dear(), 600).await?;
    ensure!(last.refused.load(Relaxed) > 0, "the budget was never used up");
    is_refused_at_last(&keyway, &key).await?;

    let calls = keyway.simulator.calls(SECRET, CHAT) - calls;
    let known = first.passed() + killed.passed() + last.passed();
    ensure!(calls >= known, "{calls} calls, {known} passed");
    // One call beyond for each process, and for the one that took the place of the killed one.
    let most = ONE_USD + (REPLICAS as i64 + 1) * COST;
    let spent = i64::try_from(calls)? * COST;
    ensure!(spent <= most, "{calls} calls cost {spent} nano-USD");
    ensure!(spent >= ONE_USD * 7 / 10, "only {spent} nano-USD were spent");
    keyway.settle().await?;
    let ledger = "FROM metered_calls WHERE model = 'gpt-4o' AND cost_nano_usd";
    let dearest = database.number(&format!("SELECT CAST(MAX(cost_nano_usd) AS BIGINT) {ledger} IS NOT NULL")).await?;
    ensure!(dearest == COST, "a call cost {dearest}");
    let charged = database.number(&format!("SELECT CAST(SUM(cost_nano_usd) AS BIGINT) {ledger} IS NOT NULL")).await?;
    ensure!(charged <= most && charged <= spent, "the ledger says {charged}, {calls} calls cost {spent}");
    keyway.finish().await
}

/// A virtual key with limits whose minute does not end while the test runs.
async fn virtual_key(api: &Api, database: &Database, limits: Value) -> Result<Key> {
    let made = api.post("/virtual-keys", json!({ "name": "app", "limits": limits }), 201).await?;
    ensure!(made["limits"]["requests_per_minute"] == REQUESTS, "{made}");
    let id: VirtualKeyId = text(&made, "/id")?.parse()?;
    let ahead = Timestamp::now().after(std::time::Duration::from_secs(3600)).ms() / 60_000 * 60_000;
    let sql = format!(
        "INSERT INTO limit_windows SELECT tenant_id, id, 'requests_per_minute', {ahead}, 0, 0, 0 FROM virtual_keys \
         WHERE id = '{}'",
        id.uuid()
    );
    ensure!(database.0.execute_unprepared(&sql).await?.rows_affected() == 1);
    Ok(Key { id, text: text(&made, "/key")? })
}

fn cheap() -> Value {
    json!({ "model": "gpt-4o-mini", "max_tokens": 16, "messages": [{ "role": "user", "content": "count me" }] })
}

fn dear() -> Value {
    let words = "w ".repeat(1000);
    json!({ "model": "gpt-4o", "max_tokens": 16, "messages": [{ "role": "user", "content": words }] })
}

/// Calls through all processes by turns, many at once.
async fn drive(keyway: &Keyway, key: &Key, body: &Value, calls: usize) -> Result<Tally> {
    let apis: Vec<_> = keyway.apis().map(|api| api.with_key(&key.text).apart()).collect();
    let tally = Tally::default();
    let call =
        async |at: usize| tally.count(apis[at % apis.len()].send(Method::POST, CHAT, Some(body.clone()), &[]).await);
    let outcomes: Vec<Result<()>> = stream::iter((0..calls).map(call)).buffer_unordered(AT_ONCE).collect().await;
    outcomes.into_iter().collect::<Result<()>>()?;
    Ok(tally)
}

/// Kills the first process when it has served some of the calls that go on meanwhile.
async fn kill_while_calling(keyway: &mut Keyway, key: &Key) -> Result<Tally> {
    let apis: Vec<_> = keyway.apis().map(|api| api.with_key(&key.text).apart()).collect();
    let (tally, body) = (Tally::default(), dear());
    let before = keyway.simulator.calls(SECRET, CHAT);
    let call =
        async |at: usize| tally.count(apis[at % apis.len()].send(Method::POST, CHAT, Some(body.clone()), &[]).await);
    let calling = stream::iter((0..90).map(call)).buffer_unordered(AT_ONCE).collect::<Vec<Result<()>>>();
    let killing = async {
        until("some calls are under way", async || Ok(keyway.simulator.calls(SECRET, CHAT) > before + 10)).await?;
        keyway.member(0).process.kill()
    };
    let (outcomes, killed) = tokio::join!(calling, killing);
    killed?;
    outcomes.into_iter().collect::<Result<()>>()?;
    Ok(tally)
}

/// Checks that the remainder after many concurrent calls is less than one call, and that the budget is then refused.
async fn is_refused_at_last(keyway: &Keyway, key: &Key) -> Result<()> {
    let api = keyway.api()?.with_key(&key.text);
    until("the budget is refused with 402", async || {
        let answer = api.send(Method::POST, CHAT, Some(dear()), &[]).await?;
        let headers = ["x-keyway-error", "x-keyway-limit-scope", "x-keyway-limit"].map(|name| answer.header(name));
        ensure!(answer.status == 402, "{} {headers:?}", answer.status);
        ensure!(headers == [Some("budget_exceeded"), Some("virtual_key"), Some("daily_budget")], "{headers:?}");
        let reset = Timestamp::parse(answer.header("x-keyway-limit-reset").context("when it ends")?);
        Ok(reset.is_some_and(|reset| reset > Timestamp::now()))
    })
    .await
    .with_context(|| format!("virtual key {}", key.id))
}

impl Tally {
    fn passed(&self) -> u64 {
        self.passed.load(Relaxed) as u64
    }

    fn count(&self, answer: Result<crate::harness::Answer>) -> Result<()> {
        let counter = match answer.map(|answer| (answer.status, answer.header("x-keyway-error").map(str::to_owned))) {
            Ok((200, _)) => &self.passed,
            Ok((429, Some(code))) if code == "rate_limited" => &self.refused,
            Ok((402, Some(code))) if code == "budget_exceeded" => &self.refused,
            Ok((status, code)) => anyhow::bail!("answered {status} {code:?}"),
            // The process was killed.
            Err(_) => &self.broken,
        };
        counter.fetch_add(1, Relaxed);
        Ok(())
    }
}
