//! The session of the contract, up to the part of the workers.

use anyhow::{Context, Result, ensure};
use keyway_domain::{Body, Command, Event, Message, Route, Timestamp};
use keyway_store::outbox;
use reqwest::Method;
use serde_json::{Value, json};

use crate::fixture::{Api, KEY, on_both, send};

on_both! { a_session_goes_as_documented what_is_accepted_is_in_the_outbox }

async fn a_session_goes_as_documented(api: Api) -> Result<()> {
    let project = api.post("/api/v1/projects", json!({ "name": "shop" })).await?.expect(201)?;
    let project_id = project.text_at("/id").to_owned();
    ensure!(project_id.starts_with("prj_") && project.text_at("/name") == "shop");
    ensure!(project.header("location") == format!("/api/v1/projects/{project_id}"));

    let provider =
        json!({ "name": "acme", "display_name": "Acme", "base_url": "https://api.acme.dev/v1", "models": ["acme-1"] });
    let provider = api.post("/api/v1/providers", provider).await?.expect(201)?;
    ensure!(provider.text_at("/base_url") == "https://api.acme.dev/v1", "{}", provider.text);

    let body = json!({ "project_id": project_id, "provider": "openai", "name": "prod", "credentials": KEY });
    let submitted = api.post("/api/v1/integrations", body).await?.expect(202)?;
    let integration_id = submitted.text_at("/integration/id").to_owned();
    let operation_id = submitted.text_at("/operation/id").to_owned();
    ensure!(submitted.header("location") == format!("/api/v1/operations/{operation_id}"));
    ensure!(submitted.text_at("/integration/status") == "verifying");
    ensure!(submitted.text_at("/integration/hint") == "sk-proj-...wxyz", "{}", submitted.text);
    ensure!(submitted.at("/integration").get("verdict") == Some(&Value::Null));
    ensure!(submitted.text_at("/operation/state") == "queued");

    let operation = api.get(&format!("/api/v1/operations/{operation_id}")).await?.expect(200)?;
    for (pointer, value) in [
        ("/kind", json!("verify_key")),
        ("/state", json!("queued")),
        ("/attempt", json!(1)),
        ("/total", Value::Null),
        ("/done", Value::Null),
        ("/failed", Value::Null),
        ("/error", Value::Null),
        ("/integration_id", json!(integration_id)),
    ] {
        ensure!(operation.at(pointer) == &value, "{pointer}: {}", operation.text);
    }
    let detail = api.get(&format!("/api/v1/integrations/{integration_id}")).await?.expect(200)?;
    ensure!(detail.at("/history") == &json!([]) && detail.text_at("/provider") == "openai");

    let key =
        api.post("/api/v1/virtual-keys", json!({ "project_id": project_id, "name": "app" })).await?.expect(201)?;
    ensure!(key.text_at("/id").starts_with("vk_"));
    ensure!(keyway_vault::token::VirtualKeyToken::is_well_formed(key.text_at("/key")), "{}", key.text);
    let shown = api.get(&format!("/api/v1/virtual-keys/{}", key.text_at("/id"))).await?.expect(200)?;
    ensure!(shown.json.get("key").is_none() && !shown.text.contains(key.text_at("/key")));

    for (name, last) in [("b", "0001"), ("c", "0002")] {
        api.submit(name, &KEY.replace("wxyz", last)).await?;
    }
    let fetch = api.post("/api/v1/usage/fetch", json!({})).await?.expect(202)?;
    ensure!(fetch.text_at("/operation/kind") == "plan_usage");
    ensure!(fetch.at("/operation/total") == &json!(3) && fetch.at("/operation/done") == &json!(0));
    ensure!(fetch.at("/operation/failed") == &json!(0));

    let usage = api.get("/api/v1/usage?ledger=metered&group_by=model").await?.expect(200)?;
    ensure!(usage.at("/items") == &json!([]), "{}", usage.text);
    Ok(())
}

async fn what_is_accepted_is_in_the_outbox(api: Api) -> Result<()> {
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let body = json!({ "provider": "openai", "name": "prod", "credentials": KEY });
    let request = api.request(Method::POST, "/api/v1/integrations").header("traceparent", trace).json(&body);
    let submitted = send(request).await?.expect(202)?;
    let tx = api.store.system().await?;
    let mut messages = Vec::new();
    for route in Route::ALL {
        for row in outbox::claim(&tx, route, 100, Timestamp::now()).await? {
            messages.push(Message::decode(&row.body)?);
        }
    }
    ensure!(messages.len() == 3, "{messages:?}");
    ensure!(messages.iter().all(|message| message.traceparent.as_deref() == Some(trace)));
    ensure!(messages.iter().all(|message| message.tenant_id == api.tenant));
    let audited = messages.iter().find_map(|message| match &message.body {
        Body::Event(Event::Audited(event)) => Some(event),
        _ => None,
    });
    let audited = audited.context("no audit event")?;
    ensure!(audited.action == "integration.created" && audited.target == submitted.text_at("/integration/id"));
    ensure!(audited.request_id.map(|id| id.to_string()).as_deref() == Some(submitted.header("x-request-id")));
    let command = messages.iter().find(|message| matches!(message.body, Body::Command(_))).context("no command")?;
    ensure!(matches!(command.body, Body::Command(Command::VerifyKey { secret_version: 1, confirming: false, .. })));
    ensure!(command.operation_id.map(|id| id.to_string()).as_deref() == Some(submitted.text_at("/operation/id")));
    ensure!(messages.iter().any(|message| matches!(message.body, Body::Event(Event::Invalidated(_)))));
    Ok(())
}
