//! Many processes, a thousand keys, and workers that die in the middle: each accepted id reaches its
//! state, each operation has one effect. Proves that accepted means durable and that every effect is
//! idempotent (invariants 2 and 3).

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use keyway_testkit::simulator::{Fault, Script};
use serde_json::{Value, json};

use crate::{
    harness::{Database, Keyway, text, until},
    session::ended,
};

const KEYS: usize = 1000;
const AT_ONCE: usize = 16;
const CREATED: &str = "FROM audit_events WHERE action = 'integration.created'";

/// Expected result of one submitted key.
struct Kind {
    word: &'static str,
    status: &'static str,
    verdict: &'static str,
    /// `true` if its first call is answered with 429.
    limited: bool,
}

const fn kind(word: &'static str, status: &'static str, verdict: &'static str) -> Kind {
    Kind { word, status, verdict, limited: false }
}

/// One of each ten keys, by turns.
const KINDS: [Kind; 10] = [
    kind("sk-sim-good", "connected", "valid"),
    kind("sk-admin-sim", "connected", "valid"),
    kind("sk-sim-revoked", "error", "invalid"),
    kind("sk-sim-good", "connected", "valid"),
    kind("sk-sim-restricted", "connected", "restricted"),
    kind("sk-sim-good", "connected", "valid"),
    Kind { limited: true, ..kind("sk-sim-good", "connected", "valid") },
    kind("sk-admin-sim", "connected", "valid"),
    kind("sk-sim-nocredit", "error", "no_credit"),
    kind("sk-sim-good", "connected", "valid"),
];

#[tokio::test]
async fn workers_that_die_change_nothing_in_the_result() -> Result<()> {
    let mut keyway = Keyway::cluster(2, 2).await?;
    let database = keyway.database().await?;
    let accepted = submit_all(&keyway).await?;

    until("a third of the keys is verified", async || Ok(finished(&database, "verify_key").await? > KEYS as i64 / 3))
        .await?;
    keyway.member(2).process.kill()?;
    keyway.start("workers").await?;
    until("every key is verified", async || {
        let done = finished(&database, "verify_key").await?;
        ensure!(done == KEYS as i64, "{done}");
        Ok(true)
    })
    .await?;

    let active = KINDS.iter().filter(|kind| kind.status == "connected").count() * KEYS / KINDS.len();
    let started = keyway.api()?.post("/usage/fetch", json!({}), 202).await?;
    let plan = text(&started, "/operation/id")?;
    until(
        "a third of the usage is fetched",
        async || Ok(finished(&database, "fetch_usage").await? > active as i64 / 3),
    )
    .await?;
    keyway.member(3).process.kill()?;
    keyway.start("workers").await?;
    let plan = ended(keyway.api()?, &plan).await?;
    ensure!(plan["state"] == "succeeded", "{plan}");
    ensure!(plan["total"] == active && plan["done"] == active && plan["failed"] == 0, "{plan}");
    keyway.settle().await?;

    each_key_has_its_state(&keyway, &accepted).await?;
    each_operation_has_one_effect(&database, active).await?;
    each_key_was_audited_once(&database, &accepted).await?;
    reported_usage_is_the_providers(&keyway, &database).await?;
    keyway.finish().await
}

/// Submits every key, by turns at both listeners. The accepted ids, with what is to become of them.
async fn submit_all(keyway: &Keyway) -> Result<BTreeMap<String, &'static Kind>> {
    let apis: Vec<_> = keyway.apis().collect();
    let submissions = (0..KEYS).map(|at| {
        let (kind, api) = (&KINDS[at % KINDS.len()], apis[at % apis.len()]);
        let key = format!("{}-fleet-{at}", kind.word);
        if kind.limited {
            let script = Script { key: key.clone(), fault: Fault::RateLimited, times: Some(1), latency_ms: 0 };
            keyway.simulator.script(script);
        }
        let body = keyway.openai(&format!("key {at}"), &key);
        async move { Ok((text(&api.post("/integrations", body, 202).await?, "/integration/id")?, kind)) }
    });
    stream::iter(submissions).buffer_unordered(AT_ONCE).try_collect().await
}

async fn finished(database: &Database, kind: &str) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM operations WHERE state IN ('succeeded', 'failed') AND kind =";
    database.number(&format!("{sql} '{kind}'")).await
}

async fn each_key_has_its_state(keyway: &Keyway, accepted: &BTreeMap<String, &Kind>) -> Result<()> {
    ensure!(accepted.len() == KEYS);
    let (api, mut seen, mut cursor) = (keyway.api()?, 0, String::new());
    loop {
        let page = api.get(&format!("/integrations?limit=200{cursor}")).await?;
        for row in page["items"].as_array().context("items")? {
            let kind = accepted.get(&text(row, "/id")?).with_context(|| format!("nobody submitted {row}"))?;
            ensure!(row["status"] == kind.status && row["verdict"]["kind"] == kind.verdict, "{row}");
            seen += 1;
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    ensure!(seen == KEYS, "{seen} keys are listed");
    Ok(())
}

async fn each_operation_has_one_effect(database: &Database, active: usize) -> Result<()> {
    let conclusive = "SELECT operation_id, COUNT(*) AS n FROM verdicts \
                      WHERE kind NOT IN ('rate_limited', 'unreachable') GROUP BY operation_id";
    let with_one = database.number(&format!("SELECT COUNT(*) FROM ({conclusive}) AS v WHERE n = 1")).await?;
    let with_any = database.number(&format!("SELECT COUNT(*) FROM ({conclusive}) AS v")).await?;
    ensure!(with_one == KEYS as i64 && with_any == KEYS as i64, "{with_one} of {with_any} have one verdict");
    // A worker may die after its probe was answered with 429: the probe is made again in the same attempt.
    let limited = KINDS.iter().filter(|kind| kind.limited).count() * KEYS / KINDS.len();
    let confirmed = KINDS.iter().filter(|kind| kind.verdict == "invalid").count() * KEYS / KINDS.len();
    let verifications = "SELECT COUNT(*) FROM operations o JOIN integrations i ON i.id = o.integration_id \
                         WHERE o.kind = 'verify_key'";
    let refused = database.number(&format!("{verifications} AND o.attempt = 2 AND i.verdict_kind = 'invalid'")).await?;
    ensure!(refused == confirmed as i64, "{refused} keys are invalid after two probes, not {confirmed}");
    let others = database.number(&format!("{verifications} AND o.attempt = 2 AND i.verdict_kind = 'valid'")).await?;
    let more = database.number(&format!("{verifications} AND o.attempt > 2")).await?;
    ensure!(others <= limited as i64 && others > 0 && more == 0, "{others} of {limited} were repeated, {more} oftener");
    let children = "FROM operations WHERE kind = 'fetch_usage'";
    for sql in [
        format!("SELECT COUNT(*) {children}"),
        format!("SELECT COUNT(*) {children} AND state = 'succeeded'"),
        format!("SELECT COUNT(DISTINCT integration_id) {children}"),
    ] {
        let found = database.number(&sql).await?;
        ensure!(found == active as i64, "{sql} gave {found}, not {active}");
    }
    Ok(())
}

async fn each_key_was_audited_once(database: &Database, accepted: &BTreeMap<String, &Kind>) -> Result<()> {
    let targets = database.texts(&format!("SELECT target {CREATED}")).await?;
    ensure!(targets.len() == KEYS, "{} creations were audited", targets.len());
    let targets: BTreeSet<_> = targets.iter().collect();
    ensure!(targets == accepted.keys().collect(), "other ids were audited than accepted");
    let changed = "FROM audit_events WHERE action = 'integration.status_changed'";
    for sql in [format!("SELECT COUNT(*) {changed}"), format!("SELECT COUNT(DISTINCT target) {changed}")] {
        let found = database.number(&sql).await?;
        ensure!(found == KEYS as i64, "{sql} gave {found}");
    }
    Ok(())
}

/// Compares the stored usage of some admin keys with the provider's answer to the same question.
async fn reported_usage_is_the_providers(keyway: &Keyway, database: &Database) -> Result<()> {
    let http = crate::harness::http_client()?;
    for at in (1..KEYS).step_by(100) {
        let rows = format!(
            "FROM reported_usage r JOIN integrations i ON i.id = r.integration_id \
             WHERE i.name = 'key {at}' AND r.source = 'usage.completions'"
        );
        let from = database.number(&format!("SELECT MIN(bucket_start_ms) / 1000 {rows}")).await?;
        let to = database.number(&format!("SELECT MAX(bucket_end_ms) / 1000 {rows}")).await?;
        let width = database.number(&format!("SELECT MAX(bucket_end_ms - bucket_start_ms) / 1000 {rows}")).await?;
        let stored = database.number(&format!("SELECT CAST(SUM(requests) AS BIGINT) {rows}")).await?;
        let width = if width == 3600 { "1h" } else { "1d" };
        let query = format!("start_time={from}&end_time={to}&bucket_width={width}");
        let key = format!("sk-admin-sim-fleet-{at}");
        let (mut told, mut page) = (0, String::new());
        loop {
            let url = format!("{}/organization/usage/completions?{query}{page}", keyway.simulator.base_url);
            let answer: Value = http.get(url).bearer_auth(&key).send().await?.json().await?;
            let buckets = answer["data"].as_array().context("data")?.iter();
            let results = buckets.filter_map(|bucket| bucket["results"].as_array()).flatten();
            told += results.filter_map(|result| result["num_model_requests"].as_i64()).sum::<i64>();
            match answer["next_page"].as_str() {
                Some(next) => page = format!("&page={next}"),
                None => break,
            }
        }
        ensure!(told > 0 && stored == told, "key {at}: {stored} requests are stored, the provider says {told}");
    }
    Ok(())
}
