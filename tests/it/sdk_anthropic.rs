//! The official `anthropic` Python SDK, unmodified, against Keyway: its answers, the agreement of the metered ledger
//! with the figures that the SDK got, and an admin key beside it, which reports and is never called with.

use anyhow::{Context, Result, ensure};
use keyway_testkit::simulator::{Fault, Script};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    harness::{Keyway, until},
    sdk::{python, ran, submitted},
};

const KEY: &str = "sk-ant-sim-good-sdk";
const PACKAGE: &str = "anthropic==2.11.0";
const MODEL: &str = "claude-sonnet-4-6";
const DATED_MODEL: &str = "claude-haiku-4-5";

#[tokio::test]
async fn anthropics_official_sdk_is_served_and_metered() -> Result<()> {
    // Before anything is connected: the installation takes longer than a server keeps an idle connection.
    let python = tokio::task::spawn_blocking(|| python(PACKAGE)).await??;
    let keyway = Keyway::embedded().await?;
    let api = keyway.api()?;
    let integration = |name: &str, credentials: &str| {
        let config = json!({ "base_url": keyway.simulator.base_url });
        json!({ "provider": "anthropic", "name": name, "credentials": credentials, "config": config })
    };
    let key = submitted(api, [integration("sdk", KEY), integration("report", "sk-ant-admin01-sim-1")]).await?;

    let mut told = Vec::new();
    for (base, serves_models) in [("", "no"), ("/proxy/anthropic", "yes")] {
        let url = format!("{}{base}", api.root());
        let report = ran(&python, "anthropic_client.py", [&url, &key, MODEL, DATED_MODEL, serves_models]).await?;
        let calls = report.as_array().context("no list of calls")?;
        ensure!(calls.len() == 9, "{base}: {report}");
        told.extend_from_slice(calls);
    }
    keyway.simulator.script(Script { key: KEY.to_owned(), fault: Fault::Cut, times: Some(1), latency_ms: 0 });
    let cut = ran(&python, "anthropic_cut.py", [api.root(), &key, MODEL]).await?;
    let cut_input = cut["uncached"].as_i64().context("no input of the cut answer")?;
    for streams in [false, true] {
        told.push(by_openais_shape(&keyway, &key, streams).await?);
    }

    // Dollars a million tokens in models.yaml, times 1000: in, cached, written, written for an hour, out.
    let mut sonnet = expected(&told, MODEL, [3000, 300, 3750, 6000, 15_000], 2);
    // The cut answer's input is known. Its output is not, and so neither is its cost.
    for (sum, figure) in sonnet.iter_mut().zip([1, cut_input, 0, 0, 0, 0, 1]) {
        *sum += figure;
    }
    let haiku = expected(&told, "claude-haiku-4-5-20251001", [1000, 100, 1250, 2000, 5000], 0);
    until("the ledger says what the SDK was told", async || {
        let usage = api.get("/usage?ledger=metered&group_by=model").await?;
        let free = keyway.simulator.calls(KEY, "/v1/messages/count_tokens");
        ensure!(free == 2, "counted {free} times");
        for (model, expected) in [(MODEL, &sonnet), ("claude-haiku-4-5-20251001", &haiku)] {
            let rows = usage["items"].as_array().context("items")?;
            let row = rows.iter().find(|row| row["model"] == model).with_context(|| format!("no {model}: {usage}"))?;
            let found: Vec<_> = FIGURES.iter().map(|figure| row[*figure].as_i64().unwrap_or(0)).collect();
            ensure!(found == *expected, "{row}, expected {expected:?}, told {told:?}");
        }
        Ok(true)
    })
    .await?;
    reported(&keyway).await?;
    keyway.finish().await
}

const FIGURES: [&str; 7] = [
    "requests",
    "input_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "cost_nano_usd",
    "unpriced_requests",
];

/// Returns the ledger's expected figures of a model: [`FIGURES`] of the SDK's answers, and the number of free calls.
fn expected(told: &[Value], model: &str, prices: [i64; 5], free_calls: i64) -> Vec<i64> {
    let of_model: Vec<&Value> = told.iter().filter(|call| call["model"] == model).collect();
    let kinds = ["uncached", "cached", "written_5m", "written_1h", "output"];
    let sums = kinds.map(|kind| of_model.iter().filter_map(|call| call[kind].as_i64()).sum::<i64>());
    let [uncached, cached, short, long, output] = sums;
    let cost = sums.iter().zip(prices).map(|(tokens, price)| tokens * price).sum();
    let calls = i64::try_from(of_model.len()).unwrap_or(0) + free_calls;
    vec![calls, uncached + cached + short + long, short + long, long, output, cost, 0]
}

/// Calls the same model by `/v1/chat/completions`, and returns the stated tokens.
async fn by_openais_shape(keyway: &Keyway, key: &str, streams: bool) -> Result<Value> {
    let api = keyway.api()?.with_key(key);
    let mut body = json!({ "model": MODEL, "messages": [{ "role": "user", "content": "one two three" }] });
    if streams {
        body["stream"] = json!(true);
        body["stream_options"] = json!({ "include_usage": true });
    }
    let answer = api.send(Method::POST, "/v1/chat/completions", Some(body), &[]).await?;
    ensure!(answer.status == 200, "{}", answer.text);
    let whole = match streams {
        false => answer.body,
        true => {
            let last = answer.text.lines().filter_map(|line| line.strip_prefix("data: {")).next_back();
            serde_json::from_str(&format!("{{{}", last.context("no event")?))?
        }
    };
    let (input, output) = (&whole["usage"]["prompt_tokens"], &whole["usage"]["completion_tokens"]);
    ensure!(input == 3, "{whole}");
    Ok(json!({ "model": MODEL, "uncached": input, "output": output }))
}

/// The organisation's own report, by the admin key.
async fn reported(keyway: &Keyway) -> Result<()> {
    let api = keyway.api()?;
    api.post("/usage/fetch", json!({}), 202).await?;
    until("the reports are read", async || {
        let usage = api.get("/usage?ledger=reported&group_by=model").await?;
        let row = usage["items"].as_array().and_then(|rows| rows.iter().find(|row| row["model"] == MODEL));
        let row = row.with_context(|| format!("no {MODEL} yet: {usage}"))?;
        let figure = |name: &str| row[name].as_i64().with_context(|| format!("no {name} yet: {row}"));
        let (input, output, cost) = (figure("input_tokens")?, figure("output_tokens")?, figure("cost_nano_usd")?);
        // Each simulated call has 100 tokens in, 10 of them written to the cache, and 20 out.
        ensure!(input == 5 * output && figure("cache_write_tokens")? * 10 == input, "{row}");
        ensure!(row["requests"].is_null() && cost > 0, "{row}");
        Ok(true)
    })
    .await
}
