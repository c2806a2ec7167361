//! A process' log of requests at the default level: one line for each of the management API and for each proxied call
//! that failed, with ids, and no text of a caller.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use keyway_testkit::simulator::{Fault, Script};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    harness::{Answer, Api, Keyway, Services, text, until},
    session::ended,
};

const KEY: &str = "sk-sim-good-logged";
const CHAT: &str = "/v1/chat/completions?canary=1";

#[tokio::test]
async fn each_request_of_the_api_and_each_failed_call_is_one_line_without_content() -> Result<()> {
    let mut keyway = Keyway::on(Services::Embedded).await?;
    keyway.set("KEYWAY_LOG_FORMAT", "json");
    keyway.start("serve").await?;
    let api = keyway.api()?.clone();
    let accepted = api.post("/integrations", keyway.openai("logged", KEY), 202).await?;
    let integration = text(&accepted, "/integration/id")?;
    ended(&api, &text(&accepted, "/operation/id")?).await?;

    for (path, status, route) in [
        ("/api/v1/integrations?canary=1".to_owned(), 400, Some("/api/v1/integrations")),
        (format!("/api/v1/integrations/{integration}"), 200, Some("/api/v1/integrations/{id}")),
        ("/api/v1/integrations/sk-canary".to_owned(), 404, Some("/api/v1/integrations/{id}")),
        ("/api/v1/canary?canary=1".to_owned(), 404, None),
    ] {
        let answer = api.send(Method::GET, &path, None, &[]).await?;
        let line = only_line(&keyway, &answer, "x-request-id").await?;
        ensure!(line["level"] == "INFO" && line["status"] == answer.status, "{line}");
        ensure!(answer.status == status, "{path}: {}", answer.text);
        if let Some(route) = route {
            let of_ours = path.contains(&integration).then_some(integration.as_str());
            ensure!(line["span"]["route"] == route && line["span"]["subject"].as_str() == of_ours, "{line}");
            ensure!(line["span"]["tenant_id"].as_str().is_some_and(|id| id.starts_with("tnt_")), "{line}");
            ensure!(line["code"].is_string() == (answer.status != 200) && line["took_ms"].is_u64(), "{line}");
        }
    }
    calls(&keyway, &api, &integration).await?;
    ensure!(!keyway.members()[0].process.log()?.contains("canary"), "something that a caller wrote was logged");
    keyway.finish().await
}

#[tokio::test]
async fn a_full_disk_is_one_line_and_a_process_that_is_not_ready() -> Result<()> {
    let mut keyway = Keyway::embedded().await?;
    let api = keyway.api()?.clone();
    let accepted = api.post("/integrations", keyway.openai("full", "sk-sim-good-full"), 202).await?;
    ended(&api, &text(&accepted, "/operation/id")?).await?;
    let app = api.with_key(&text(&api.post("/virtual-keys", json!({ "name": "app" }), 201).await?, "/key")?);
    let chat = json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": "hi" }] });
    let call = async || app.send(Method::POST, "/v1/chat/completions", Some(chat.clone()), &[]).await;

    let spool = keyway.dir.join("serve-0/spool");
    fs::rename(&spool, spool.with_extension("away"))?;
    let asked = keyway.ops(0, "/readyz").await?;
    ensure!(asked.status == 503 && asked.text.contains("spool cannot be written to: "), "{}", asked.text);
    fs::rename(spool.with_extension("away"), &spool)?;
    ensure!(keyway.ops(0, "/readyz").await?.status == 200);

    keyway.stop().await?;
    keyway.member(0).settings.push(("FAILPOINTS".to_owned(), "spool.admit=return".to_owned()));
    keyway.respawn(0)?;
    keyway.ready(0).await?;
    for _ in 0..20 {
        let refused = call().await?.expect(503)?;
        ensure!(refused["error"]["code"] == "spool_full", "{refused}");
    }
    let log = keyway.members()[0].process.log()?;
    ensure!(log.matches("a call cannot be written down and is not made").count() == 1, "{log}");
    ensure!(!log.contains("a proxied call"), "{log}");
    keyway.stop().await?;
    keyway.member(0).settings.pop();
    keyway.respawn(0)?;
    keyway.ready(0).await?;
    call().await?.expect(200)?;
    keyway.finish().await
}

async fn calls(keyway: &Keyway, api: &Api, integration: &str) -> Result<()> {
    let made = api.post("/virtual-keys", json!({ "name": "app" }), 201).await?;
    let (app, id) = (api.with_key(&text(&made, "/key")?), text(&made, "/id")?);
    let nothing = json!({ "name": "none", "limits": { "requests_per_minute": 0 } });
    let none = api.with_key(&text(&api.post("/virtual-keys", nothing, 201).await?, "/key")?);
    let chat = json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": "canary" }] });
    let call = async |by: &Api, body: &Value| by.send(Method::POST, CHAT, Some(body.clone()), &[]).await;

    let good = call(&app, &chat).await?;
    ensure!(good.status == 200, "{}", good.text);
    let stranger = api.with_key("kw_live_canary");
    let unnamed = json!({ "messages": "canary" });
    for (by, body, status, code) in [
        (&stranger, &chat, 401, "invalid_virtual_key"),
        (&app, &unnamed, 400, "missing_model"),
        (&none, &chat, 429, "rate_limited"),
    ] {
        let answer = call(by, body).await?;
        ensure!(answer.status == status, "{}: {}", answer.status, answer.text);
        let line = only_line(keyway, &answer, "x-keyway-request-id").await?;
        ensure!(line["level"] == "INFO" && line["status"] == status && line["code"] == code, "{line}");
        ensure!(line["virtual_key_id"].is_string() == (code != "invalid_virtual_key"), "{line}");
    }
    keyway.simulator.script(Script { key: KEY.to_owned(), fault: Fault::ServerError, times: None, latency_ms: 0 });
    let answer = call(&app, &chat).await?;
    let line = only_line(keyway, &answer, "x-keyway-request-id").await?;
    ensure!(line["status"] == answer.status && answer.status >= 500 && line["code"].is_null(), "{line}");
    ensure!(line["integration_id"] == integration && line["virtual_key_id"] == id.as_str(), "{line}");
    ensure!(line["provider"] == "openai" && line["attempts"] == 1 && line["outcome"] == "completed", "{line}");
    let log = keyway.members()[0].process.log()?;
    ensure!(!log.contains(request_id(&good, "x-keyway-request-id")?), "a call that went well is no line");
    Ok(())
}

fn request_id<'a>(answer: &'a Answer, header: &str) -> Result<&'a str> {
    Ok(answer.headers.get(header).with_context(|| format!("no {header}"))?.to_str()?)
}

/// The one line about a request, once it is there.
async fn only_line(keyway: &Keyway, answer: &Answer, header: &str) -> Result<Value> {
    let id = request_id(answer, header)?;
    let mut lines = Vec::new();
    until("the request is logged", async || {
        let log = keyway.members()[0].process.log()?;
        lines = log.lines().filter(|line| line.contains(id)).map(str::to_owned).collect();
        Ok(lines.iter().any(|line| line.ends_with('}')))
    })
    .await?;
    ensure!(lines.len() == 1, "{lines:#?}");
    Ok(serde_json::from_str(&lines[0])?)
}
