//! One trace from a request's header to the lines of every attempt that follows from it.

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::Value;

use crate::{
    harness::{Keyway, Services, text, until},
    session::ended,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[tokio::test]
async fn one_trace_leads_from_a_request_to_its_attempts_across_processes() -> Result<()> {
    let mut keyway = Keyway::on(Services::shared().await?).await?;
    keyway.set("KEYWAY_LOG", "info,keyway_api=debug,keyway_workers=debug");
    keyway.set("KEYWAY_LOG_FORMAT", "json");
    keyway.run(&["migrate"])?;
    keyway.start("api").await?;
    keyway.start("workers").await?;

    let traceparent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let operation = submit(&keyway, "sk-sim-revoked-traced", &[("traceparent", &traceparent)]).await?;
    let [request] = &lines(&keyway, 0, "request", |span| span["traceparent"] == traceparent.as_str()).await?[..] else {
        anyhow::bail!("one line for the request");
    };
    ensure!(request["status"] == 202 && request["span"]["route"] == "/api/v1/integrations", "{request}");
    // A refusal is confirmed by a second attempt, which hears of the trace by an event, the status writer and the outbox.
    let attempts = lines(&keyway, 1, "attempt", |span| span["traceparent"] == traceparent.as_str()).await?;
    let told: Vec<_> = attempts.iter().map(|line| (&line["span"]["attempt"], &line["outcome"])).collect();
    ensure!(told == [(&Value::from(1), &Value::from("retry")), (&Value::from(2), &Value::from("done"))], "{told:?}");
    ensure!(attempts.iter().all(|line| line["span"]["operation"] == operation.as_str()), "{attempts:?}");
    ensure!(attempts[0]["level"] == "WARN" && attempts[1]["level"] == "DEBUG", "{attempts:?}");

    // Who sends none gets one of their own.
    let operation = submit(&keyway, "sk-sim-good-untraced", &[]).await?;
    let attempts = lines(&keyway, 1, "attempt", |span| span["operation"] == operation.as_str()).await?;
    let made = attempts[0]["span"]["traceparent"].as_str().context("a trace of its own")?.to_owned();
    ensure!(made.len() == traceparent.len() && !made.contains(TRACE), "{made}");
    let requests = lines(&keyway, 0, "request", |span| span["traceparent"] == made.as_str()).await?;
    ensure!(requests.len() == 1, "{requests:?}");
    keyway.finish().await
}

/// Submits a key and waits until its operation has ended.
async fn submit(keyway: &Keyway, key: &str, headers: &[(&str, &str)]) -> Result<String> {
    let api = keyway.api()?;
    let body = keyway.openai(key, key);
    let accepted = api.send(Method::POST, "/api/v1/integrations", Some(body), headers).await?.expect(202)?;
    let operation = text(&accepted, "/operation/id")?;
    ended(api, &operation).await?;
    Ok(operation)
}

/// The lines of a process that were logged in such a span, once there are any and the last one says that it is done.
async fn lines(keyway: &Keyway, member: usize, name: &str, wanted: impl Fn(&Value) -> bool) -> Result<Vec<Value>> {
    let mut found = Vec::new();
    until(&format!("a {name} of the trace is logged"), async || {
        let log = keyway.members()[member].process.log()?;
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        found = lines.filter(|line| line["span"]["name"] == name && wanted(&line["span"])).collect();
        Ok(found.last().is_some_and(|line| line["outcome"] != "retry"))
    })
    .await?;
    Ok(found)
}
