//! The session that the interface promises, exactly: status codes and fields, in both deployments.

use anyhow::{Context, Result, ensure};
use keyway_testkit::simulator::tokens_of;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Api, Keyway, text, until};

const PROMPT: &str = "Say hello to the ten words of this very prompt";

#[tokio::test]
async fn the_session_embedded() -> Result<()> {
    session(Keyway::embedded().await?).await
}

#[tokio::test]
async fn the_session_distributed() -> Result<()> {
    session(Keyway::cluster(1, 1).await?).await
}

async fn session(keyway: Keyway) -> Result<()> {
    let api = keyway.api()?.clone();
    let project = api.post("/projects", json!({ "name": "shop" }), 201).await?;
    let project = has_prefix(&project, "/id", "prj_")?;
    let acme =
        json!({ "name": "acme", "display_name": "Acme", "base_url": keyway.simulator.base_url, "models": ["acme-1"] });
    api.post("/providers", acme, 201).await?;

    let mut body = keyway.openai("prod", "sk-sim-good-session-abcd");
    body["project_id"] = json!(project);
    submits_and_connects(&api, body).await?;
    refused_key(&api, &keyway).await?;
    let custom =
        json!({ "project_id": project, "provider": "acme", "name": "acme", "credentials": "sk-sim-good-acme" });
    api.post("/integrations", custom, 202).await?;
    api.post("/integrations", keyway.openai("reporting", "sk-admin-sim-session"), 202).await?;
    until("all four have their verdict", async || {
        let rows = api.get("/integrations?status=verifying").await?;
        Ok(rows["items"].as_array().context("items")?.is_empty())
    })
    .await?;

    fans_out(&api).await?;
    calls_the_provider(&api, &project).await?;
    documents_itself(&api).await?;
    keyway.finish().await
}

async fn submits_and_connects(api: &Api, body: Value) -> Result<()> {
    let answer = api.send(Method::POST, "/api/v1/integrations", Some(body.clone()), &[]).await?;
    let location = answer.header("location").context("no Location")?.to_owned();
    let accepted = answer.expect(202)?;
    let integration = has_prefix(&accepted, "/integration/id", "int_")?;
    let operation = has_prefix(&accepted, "/operation/id", "op_")?;
    ensure!(location == format!("/api/v1/operations/{operation}"), "{location}");
    ensure!(accepted["integration"]["status"] == "verifying", "{accepted}");
    ensure!(accepted["integration"]["hint"] == "sk-...abcd", "{accepted}");
    ensure!(accepted["operation"]["state"] == "queued", "{accepted}");

    let operation = ended(api, &operation).await?;
    for (field, expected) in [
        ("kind", json!("verify_key")),
        ("state", json!("succeeded")),
        ("attempt", json!(1)),
        ("total", Value::Null),
        ("done", Value::Null),
        ("failed", Value::Null),
        ("error", Value::Null),
    ] {
        ensure!(operation.get(field) == Some(&expected), "{field}: {operation}");
    }
    let row = api.get(&format!("/integrations/{integration}")).await?;
    ensure!(row["status"] == "connected", "{row}");
    ensure!(row["verdict"]["kind"] == "valid" && row["verdict"]["http_status"] == 200, "{row}");
    has_prefix(&row, "/verdict/request_id", "req_sim")?;
    text(&row, "/verdict/checked_at")?;

    let mut again = body;
    again["name"] = json!("the same key under another name");
    let refused = api.post("/integrations", again, 409).await?;
    ensure!(refused["error"]["code"] == "duplicate_key", "{refused}");
    ensure!(text(&refused, "/error/message")?.contains(&integration), "{refused}");
    Ok(())
}

async fn refused_key(api: &Api, keyway: &Keyway) -> Result<()> {
    let accepted = api.post("/integrations", keyway.openai("left", "sk-sim-revoked-session"), 202).await?;
    let operation = ended(api, &text(&accepted, "/operation/id")?).await?;
    ensure!(operation["state"] == "succeeded" && operation["attempt"] == 2, "{operation}");
    let row = api.get(&format!("/integrations/{}", text(&accepted, "/integration/id")?)).await?;
    ensure!(row["status"] == "error" && row["verdict"]["kind"] == "invalid", "{row}");
    ensure!(keyway.simulator.calls("sk-sim-revoked-session", "/v1/models") == 2, "a second probe has to confirm it");
    Ok(())
}

async fn fans_out(api: &Api) -> Result<()> {
    let started = api.post("/usage/fetch", json!({}), 202).await?;
    let id = has_prefix(&started, "/operation/id", "op_")?;
    for (field, expected) in
        [("kind", json!("plan_usage")), ("total", json!(3)), ("done", json!(0)), ("failed", json!(0))]
    {
        ensure!(started["operation"].get(field) == Some(&expected), "{field}: {started}");
    }
    let operation = ended(api, &id).await?;
    ensure!(operation["state"] == "succeeded", "{operation}");
    ensure!(operation["total"] == 3 && operation["done"] == 3 && operation["failed"] == 0, "{operation}");
    let reported = api.get("/usage?ledger=reported&group_by=model").await?;
    ensure!(!reported["items"].as_array().context("items")?.is_empty(), "{reported}");
    let rows = api.get("/integrations").await?;
    for row in rows["items"].as_array().context("items")? {
        let reportable = row["name"] == "reporting" || row["status"] == "error";
        ensure!(row["usage_not_reportable"].is_null() == reportable, "said honestly: {row}");
    }
    Ok(())
}

async fn calls_the_provider(api: &Api, project: &str) -> Result<()> {
    let created = api.post("/virtual-keys", json!({ "project_id": project, "name": "app" }), 201).await?;
    has_prefix(&created, "/id", "vk_")?;
    let key = has_prefix(&created, "/key", "kw_live_")?;
    let shown = api.get(&format!("/virtual-keys/{}", text(&created, "/id")?)).await?;
    ensure!(shown.get("key").is_none(), "the key is shown once: {shown}");

    let app = api.with_key(&key);
    let chat = json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": PROMPT }] });
    let mut output = 0;
    for path in ["/v1/chat/completions", "/proxy/openai/v1/chat/completions"] {
        let answer = app.send(Method::POST, path, Some(chat.clone()), &[]).await?.expect(200)?;
        output += tokens_of(&text(&answer, "/choices/0/message/content")?);
    }
    let input = 2 * tokens_of(PROMPT);
    until("both calls are in the ledger", async || {
        let usage = api.get("/usage?ledger=metered&group_by=model").await?;
        let items = usage["items"].as_array().context("items")?;
        let Some(row) = items.iter().find(|row| row["model"] == "gpt-4o-mini" && row["requests"] == 2) else {
            return Ok(false);
        };
        ensure!(row["input_tokens"] == input && row["output_tokens"] == output, "{row}");
        // 0.15 and 0.60 dollars a million tokens.
        ensure!(row["cost_nano_usd"] == input * 150 + output * 600, "{row}");
        Ok(true)
    })
    .await
}

async fn documents_itself(api: &Api) -> Result<()> {
    let document = api.send(Method::GET, "/api/openapi.json", None, &[]).await?.expect(200)?;
    ensure!(document["paths"]["/api/v1/integrations"]["post"].is_object(), "the document lacks integrations");
    let page = api.send(Method::GET, "/api/docs/", None, &[]).await?;
    ensure!(page.status == 200 && page.text.contains("swagger"), "{page:?}");
    let providers = api.get("/providers").await?;
    for (name, has_key) in [("openai", true), ("acme", true), ("xai", false)] {
        let row = providers["items"].as_array().and_then(|items| items.iter().find(|row| row["name"] == name));
        ensure!(row.with_context(|| format!("no {name}"))?["has_api_key"] == has_key, "{providers}");
    }
    until("the audit log tells of it", async || {
        let audit = api.get("/audit").await?;
        let actions: Vec<_> = audit["items"].as_array().context("items")?.iter().map(|row| &row["action"]).collect();
        Ok(["project.created", "integration.created", "virtual_key.created", "integration.status_changed"]
            .iter()
            .all(|action| actions.iter().any(|found| *found == action)))
    })
    .await
}

/// The operation, once it has ended.
pub(crate) async fn ended(api: &Api, operation: &str) -> Result<Value> {
    let mut row = Value::Null;
    until(&format!("{operation} ends"), async || {
        row = api.get(&format!("/operations/{operation}")).await?;
        let state = text(&row, "/state")?;
        ensure!(matches!(state.as_str(), "succeeded" | "failed" | "cancelled"), "{row}");
        Ok(true)
    })
    .await?;
    Ok(row)
}

fn has_prefix(value: &Value, pointer: &str, prefix: &str) -> Result<String> {
    let found = text(value, pointer)?;
    ensure!(found.starts_with(prefix), "{pointer} does not begin with {prefix}: {value}");
    Ok(found)
}
