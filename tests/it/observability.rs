//! The dashboard and the alert rules, evaluated by a real Prometheus against a running Keyway.
//!
//! Each expression must parse, name only metrics that Keyway exports, and yield data.

use std::{collections::BTreeSet, fs, net::SocketAddr, path::Path};

use anyhow::{Context, Result, ensure};
use keyway_testkit::simulator::{Fault, Script};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    harness::{Keyway, text, until},
    prometheus::Prometheus,
    session::ended,
};

/// The key that is asked first, and fails when it is called.
const FIRST: &str = "sk-sim-good-first";

/// An expression and its place.
struct Expression {
    place: String,
    text: String,
}

#[tokio::test]
async fn every_panel_and_alert_has_data_from_a_running_keyway() -> Result<()> {
    let keyway = Keyway::cluster(1, 1).await?;
    until("the workers say that they are ready", async || {
        let said = keyway.members()[1].process.log()?;
        Ok(said.contains("Keyway workers are ready: 7 lanes are consumed, metrics on http://"))
    })
    .await?;
    some_activity(&keyway).await?;
    let targets: Vec<_> = keyway.members().iter().map(|member| member.ops).collect();
    check_every_expression(&targets).await?;
    keyway.finish().await
}

/// A bit of everything that the panels show.
async fn some_activity(keyway: &Keyway) -> Result<()> {
    let api = keyway.api()?;
    for key in [FIRST, "sk-sim-good-seen", "sk-admin-sim-seen", "sk-sim-revoked-seen"] {
        let mut integration = keyway.openai(key, key);
        integration["priority"] = i32::from(key != FIRST).into();
        let accepted = api.post("/integrations", integration, 202).await?;
        ended(api, &text(&accepted, "/operation/id")?).await?;
    }
    let plan = text(&api.post("/usage/fetch", json!({}), 202).await?, "/operation/id")?;
    ended(api, &plan).await?;
    let limits = json!({ "requests_per_minute": 1000, "monthly_budget_nano_usd": 1_000_000_000 });
    let app = json!({ "name": "app", "limits": limits });
    let app = api.with_key(&text(&api.post("/virtual-keys", app, 201).await?, "/key")?);
    keyway.simulator.script(Script { key: FIRST.to_owned(), fault: Fault::ServerError, times: None, latency_ms: 0 });
    for stream in [false, true] {
        let messages = json!([{ "role": "user", "content": "show me on a panel" }]);
        let chat = json!({ "model": "gpt-4o-mini", "messages": messages, "stream": stream });
        app.send(Method::POST, "/v1/chat/completions", Some(chat), &[]).await?;
    }
    until("the calls are metered", async || {
        let usage = api.get("/usage?ledger=metered&group_by=model").await?;
        Ok(usage["items"][0]["requests"] == 2)
    })
    .await
}

/// Fails with every expression of a panel or an alert that these ops listeners cannot answer.
async fn check_every_expression(targets: &[SocketAddr]) -> Result<()> {
    let prometheus = Prometheus::start(targets).await?;
    let known: BTreeSet<String> = prometheus.metric_names().await?.into_iter().collect();
    let mut expressions = panel_expressions()?;
    expressions.extend(prometheus.alerts().await?.iter().map(alert_expression).collect::<Result<Vec<_>>>()?);
    ensure!(expressions.len() > 40, "only {} expressions were found", expressions.len());

    let mut wrong = Vec::new();
    for Expression { place, text } in &expressions {
        for name in metrics_in(text).into_iter().filter(|name| !known.contains(*name)) {
            wrong.push(format!("{place}: Keyway exports no {name}"));
        }
        match prometheus.query(text).await {
            Err(error) => wrong.push(format!("{place}: {error}: {text}")),
            Ok(series) if series.is_empty() => wrong.push(format!("{place}: no data: {text}")),
            Ok(_) => {}
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Every target of every panel of every dashboard, with Grafana's variables filled in.
fn panel_expressions() -> Result<Vec<Expression>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("grafana/dashboards"))? {
        let path = entry?.path();
        let dashboard: Value = serde_json::from_slice(&fs::read(&path)?).with_context(|| path.display().to_string())?;
        let panels = dashboard["panels"].as_array().context("a dashboard has panels")?;
        let folded = panels.iter().filter_map(|row| row["panels"].as_array()).flatten();
        for panel in panels.iter().chain(folded) {
            let place = format!("panel {}", panel["title"]);
            for target in panel["targets"].as_array().into_iter().flatten() {
                let text = target["expr"].as_str().with_context(|| format!("{place} has a target without expr"))?;
                let text = text.replace("$__rate_interval", "30s").replace("$__range", "30s");
                found.push(Expression { place: place.clone(), text });
            }
        }
    }
    Ok(found)
}

/// An alert's condition, rewritten so that a quiet system yields data too: a comparison answers 0 or 1 instead of
/// filtering, and what alerts when absent is counted.
fn alert_expression(alert: &Value) -> Result<Expression> {
    let place = format!("alert {}", alert["name"]);
    ensure!(alert["health"] == "ok", "{place} is {}: {}", alert["health"], alert["lastError"]);
    for annotation in ["summary", "runbook"] {
        ensure!(alert["annotations"][annotation].is_string(), "{place} has no {annotation}");
    }
    let query = alert["query"].as_str().context("an alert has a query")?.replace("absent(", "count(");
    let text: Vec<_> = query
        .split_whitespace()
        .map(|word| match word {
            ">" | "<" | ">=" | "<=" | "==" | "!=" => format!("{word} bool"),
            _ => word.to_owned(),
        })
        .collect();
    Ok(Expression { place, text: text.join(" ") })
}

/// The metric names in an expression: identifiers with a prefix that only metrics have.
fn metrics_in(expression: &str) -> Vec<&str> {
    expression
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("keyway_") || word.starts_with("process_"))
        .collect()
}

#[test]
fn metric_names_are_found_in_expressions() {
    let expression = r#"sum by (lane) (rate(keyway_jobs_total{outcome!="ok"}[30s])) / process_open_fds"#;
    assert_eq!(metrics_in(expression), ["keyway_jobs_total", "process_open_fds"]);
}
