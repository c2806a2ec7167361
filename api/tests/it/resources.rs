//! Tenants, projects, virtual keys, providers, models and dead letters: the permitted acts on each.

use anyhow::{Context, Result, ensure};
use keyway_domain::{
    Body, Event, IntegrationId, Lane, Message, MessageId, MeteredCall, RequestId, Route, ServedBy, TenantId, Timestamp,
    TokenCounts,
};
use keyway_store::{
    HOURS_KEPT,
    audit::{self, AuditRecord},
    dead_letters::{self, DeadLetterRow},
    outbox,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    fixture::{Api, KEY, on_both, send},
    requests,
};

on_both! {
    what_is_in_use_is_kept
    a_virtual_key_is_revoked_for_good
    providers_are_the_catalog_and_the_tenants_own
    tenants_have_names_and_an_end
    dead_letters_are_replayed_or_discarded
    usage_is_shown_as_asked
}

async fn what_is_in_use_is_kept(api: Api) -> Result<()> {
    let project = api.post("/api/v1/projects", json!({ "name": "shop" })).await?.expect(201)?.text_at("/id").to_owned();
    let path = format!("/api/v1/projects/{project}");
    api.post("/api/v1/projects", json!({ "name": "shop" })).await?.expect_error(409, "name_taken")?;
    let body = json!({ "project_id": project, "provider": "openai", "name": "b", "credentials": KEY });
    let integration = api.post("/api/v1/integrations", body).await?.expect(202)?.text_at("/integration/id").to_owned();
    api.delete(&path).await?.expect_error(409, "conflict")?;
    api.delete(&format!("/api/v1/integrations/{integration}")).await?.expect(204)?;
    let key = json!({ "project_id": project, "name": "app" });
    api.post("/api/v1/virtual-keys", key).await?.expect(201)?;
    api.delete(&path).await?.expect(204)?;
    ensure!(api.number("SELECT count(*) AS n FROM virtual_keys").await? == 0);
    let default = api.get("/api/v1/projects").await?.text_at("/items/0/id").to_owned();
    api.delete(&format!("/api/v1/projects/{default}")).await?.expect_error(409, "conflict")?;
    Ok(())
}

async fn a_virtual_key_is_revoked_for_good(api: Api) -> Result<()> {
    let made = api.post("/api/v1/virtual-keys", json!({ "name": "app" })).await?.expect(201)?;
    let path = format!("/api/v1/virtual-keys/{}", made.text_at("/id"));
    let later = json!({ "name": "app 2", "expires_at": "2999-01-01T00:00:00Z" });
    let changed = api.patch(&path, later).await?.expect(200)?;
    ensure!(changed.text_at("/expires_at").starts_with("2999") && changed.text_at("/name") == "app 2");
    let never = api.patch(&path, json!({ "expires_at": null })).await?.expect(200)?;
    ensure!(never.at("/expires_at") == &Value::Null && never.text_at("/name") == "app 2", "{}", never.text);
    api.patch(&path, json!({ "expires_at": "2020-01-01T00:00:00Z" })).await?.expect_error(422, "invalid_field")?;
    let revoked = send(api.request(Method::POST, &format!("{path}/revoke"))).await?.expect(200)?;
    let at = revoked.text_at("/revoked_at").to_owned();
    ensure!(!at.is_empty());
    api.delete(&path).await?.expect(204)?;
    ensure!(api.get(&path).await?.text_at("/revoked_at") == at, "it was revoked twice");
    api.patch(&path, json!({ "name": "x" })).await?.expect_error(409, "conflict")?;
    Ok(())
}

async fn providers_are_the_catalog_and_the_tenants_own(api: Api) -> Result<()> {
    let custom = json!({ "name": "acme", "base_url": "https://api.acme.dev/v1/", "models": ["acme-1", "acme-2"] });
    let made = api.post("/api/v1/providers", custom.clone()).await?.expect(201)?;
    api.post("/api/v1/providers", custom).await?.expect_error(409, "name_taken")?;
    let taken = json!({ "name": "openai", "base_url": "https://api.acme.dev/v1" });
    api.post("/api/v1/providers", taken).await?.expect_error(409, "name_taken")?;
    let inner = json!({ "name": "inner", "base_url": "http://127.0.0.1:1/v1" });
    api.post("/api/v1/providers", inner).await?.expect_error(422, "forbidden_host")?;
    let list = api.get("/api/v1/providers").await?.expect(200)?;
    let named =
        |name: &str| list.at("/items").as_array().into_iter().flatten().find(|item| item["name"] == name).cloned();
    ensure!(named("openai").is_some_and(|it| it["custom"] == false && it["has_api_key"] == false), "{}", list.text);
    ensure!(named("acme").is_some_and(|it| it["custom"] == true && it["base_url"] == "https://api.acme.dev/v1"));
    let body = json!({ "provider": "acme", "name": "prod", "credentials": KEY });
    api.post("/api/v1/integrations", body).await?.expect(202)?;
    let with_keys = api.get("/api/v1/providers/with-keys").await?.expect(200)?;
    ensure!(with_keys.at("/items").as_array().map(Vec::len) == Some(1) && with_keys.text_at("/items/0/name") == "acme");
    for path in ["/api/v1/providers/acme", &format!("/api/v1/providers/{}", made.text_at("/id"))] {
        ensure!(api.get(path).await?.expect(200)?.at("/has_api_key") == &json!(true));
    }
    api.delete("/api/v1/providers/acme").await?.expect_error(409, "conflict")?;
    let elsewhere = json!({ "display_name": "Acme", "base_url": "https://other.acme.dev/v1" });
    api.put("/api/v1/providers/acme", elsewhere.clone()).await?.expect_error(409, "conflict")?;
    ensure!(made.text_at("/auth") == "bearer");
    let mut renamed = json!({ "display_name": "Acme Ltd", "base_url": "https://api.acme.dev/v1", "auth": "x_api_key" });
    for _ in 0..2 {
        let now = api.put("/api/v1/providers/acme", renamed.clone()).await?.expect(200)?;
        ensure!((now.text_at("/display_name"), now.text_at("/auth")) == ("Acme Ltd", "x_api_key"), "{}", now.text);
        // Left out, it stays.
        renamed = json!({ "display_name": "Acme Ltd", "base_url": "https://api.acme.dev/v1" });
    }
    api.put("/api/v1/providers/openai", elsewhere).await?.expect_error(409, "conflict")?;
    api.delete("/api/v1/providers/openai").await?.expect_error(409, "conflict")?;
    api.delete("/api/v1/providers/nobody").await?.expect_error(404, "not_found")?;
    models(&api).await
}

async fn models(api: &Api) -> Result<()> {
    let added =
        api.post("/api/v1/providers/acme/models", json!({ "models": ["acme-2", "acme-3"] })).await?.expect(201)?;
    ensure!(added.at("/items").as_array().map(Vec::len) == Some(3), "{}", added.text);
    let id = added.text_at("/items/0/id").to_owned();
    api.delete(&format!("/api/v1/providers/models/{id}")).await?.expect(204)?;
    api.delete(&format!("/api/v1/providers/models/{id}")).await?.expect_error(404, "not_found")?;
    let rest = api.get("/api/v1/providers/acme/models").await?.expect(200)?;
    ensure!(rest.at("/items").as_array().map(Vec::len) == Some(2));
    // A name that the catalog took later stays the tenant's.
    let tx = api.store.tenant(api.tenant).await?;
    keyway_store::providers::insert(&tx, "groq", "Ours", "https://api.acme.dev/v1", "bearer", Timestamp::now()).await?;
    tx.commit().await?;
    let list = api.get("/api/v1/providers").await?.expect(200)?;
    let named: Vec<_> = list.at("/items").as_array().into_iter().flatten().filter(|it| it["name"] == "groq").collect();
    ensure!(named.len() == 1 && named[0]["display_name"] == "Ours", "{}", list.text);
    ensure!(api.get("/api/v1/providers/groq").await?.expect(200)?.at("/custom") == true);
    let predefined = api.get("/api/v1/providers/openai/models").await?.expect(200)?;
    let mini = predefined.at("/items").as_array().into_iter().flatten().find(|item| item["name"] == "gpt-4o-mini");
    ensure!(mini.is_some_and(|it| it["id"].is_null() && it["price"]["input"].is_i64()), "{}", predefined.text);
    Ok(())
}

async fn tenants_have_names_and_an_end(mut api: Api) -> Result<()> {
    let made = api.post("/api/v1/tenants", json!({ "name": "other" })).await?.expect(201)?;
    let path = format!("/api/v1/tenants/{}", made.text_at("/id"));
    api.post("/api/v1/tenants", json!({ "name": "other" })).await?.expect_error(409, "name_taken")?;
    ensure!(api.patch(&path, json!({ "name": "renamed" })).await?.expect(200)?.text_at("/name") == "renamed");
    let default = format!("/api/v1/tenants/{}", api.tenant);
    api.patch(&default, json!({ "name": "x" })).await?.expect_error(409, "conflict")?;
    let stays = api.delete(&default).await?.expect_error(409, "conflict")?;
    ensure!(stays.text_at("/error/message").contains("always stays"), "{}", stays.text);
    api.acting_in = Some(made.text_at("/id").to_owned());
    let projects = api.get("/api/v1/projects").await?.expect(200)?;
    ensure!(projects.text_at("/items/0/name") == "default", "{}", projects.text);
    let integration = api.submit("prod", KEY).await?;
    api.delete(&path).await?.expect_error(409, "conflict")?;
    api.delete(&format!("/api/v1/integrations/{integration}")).await?.expect(204)?;
    api.acting_in = None;
    api.delete(&path).await?.expect(204)?;
    api.get(&path).await?.expect_error(404, "not_found")?;
    ensure!(api.get("/api/v1/tenants").await?.at("/items").as_array().map(Vec::len) == Some(1));
    its_log_outlives_it(&mut api, made.text_at("/id")).await
}

/// Appends the waiting audit events to the log, as the audit writer does.
pub(crate) async fn write_log(api: &Api) -> Result<()> {
    let tx = api.store.system().await?;
    let rows = outbox::claim(&tx, Route::Lane(Lane::Audit), 100, Timestamp::now()).await?;
    let messages = rows.iter().map(|row| Message::decode(&row.body)).collect::<Result<Vec<_>, _>>()?;
    let records = messages.into_iter().filter_map(|message| match message.body {
        Body::Event(Event::Audited(event)) => {
            Some(AuditRecord { event_id: message.id, tenant_id: message.tenant_id, event })
        }
        _ => None,
    });
    audit::append(&tx, &records.collect::<Vec<_>>()).await?;
    Ok(tx.commit().await?)
}

async fn its_log_outlives_it(api: &mut Api, id: &str) -> Result<()> {
    write_log(api).await?;
    let named = "/api/v1/audit?action=tenant.deleted";
    ensure!(api.get(named).await?.text_at("/items/0/target") == id, "the operator's own log says so");
    api.acting_in = Some(id.to_owned());
    let log = api.get("/api/v1/audit").await?.expect(200)?;
    let actions: Vec<_> = log.at("/items").as_array().into_iter().flatten().map(|it| it["action"].clone()).collect();
    for action in ["integration.created", "integration.deleted", "tenant.deleted"] {
        ensure!(actions.iter().any(|it| it == action), "{action}: {}", log.text);
    }
    api.get("/api/v1/projects").await?.expect_error(404, "not_found")?;
    api.post("/api/v1/projects", json!({ "name": "x" })).await?.expect_error(404, "not_found")?;
    api.acting_in = Some(TenantId::new().to_string());
    api.get("/api/v1/audit").await?.expect_error(404, "not_found")?;
    Ok(())
}

async fn dead_letters_are_replayed_or_discarded(api: Api) -> Result<()> {
    let command = keyway_domain::Command::MeterCalls { calls: vec![] };
    let message = Message::new(MessageId::new(), api.tenant, keyway_domain::Body::Command(command));
    let letter = |id: MessageId, tenant_id: Option<TenantId>, body: Vec<u8>| DeadLetterRow {
        id,
        tenant_id,
        lane: "meter".to_owned(),
        reason: "crashed".to_owned(),
        error: "too often".to_owned(),
        body,
        attempts: 3,
        created_at: Timestamp::now(),
        replayed_at: None,
    };
    let (broken, unowned) = (MessageId::new(), MessageId::new());
    let tx = api.store.system().await?;
    dead_letters::insert(&tx, letter(message.id, Some(api.tenant), message.encode()?)).await?;
    dead_letters::insert(&tx, letter(broken, Some(api.tenant), b"rubbish".to_vec())).await?;
    dead_letters::insert(&tx, letter(unowned, None, b"nobody's".to_vec())).await?;
    tx.commit().await?;
    let list = api.get("/api/v1/dead-letters").await?.expect(200)?;
    ensure!(list.at("/items").as_array().map(Vec::len) == Some(2) && !list.text.contains("rubbish"), "{}", list.text);
    let all = api.get("/api/v1/dead-letters?scope=installation").await?.expect(200)?;
    ensure!(all.at("/items").as_array().map(Vec::len) == Some(3));
    let post = async |path: String| send(api.request(Method::POST, &format!("/api/v1/dead-letters/{path}"))).await;
    post(format!("{broken}/replay")).await?.expect_error(409, "conflict")?;
    let replayed = post(format!("{}/replay", message.id)).await?.expect(202)?;
    ensure!(!replayed.text_at("/replayed_at").is_empty());
    ensure!(api.number("SELECT count(*) AS n FROM outbox WHERE route = 'meter'").await? == 1);
    let late = Message::new(MessageId::new(), api.tenant, message.body.clone());
    let tx = api.store.system().await?;
    dead_letters::insert(&tx, letter(late.id, None, late.encode()?)).await?;
    tx.commit().await?;
    post(format!("{unowned}/replay")).await?.expect_error(409, "conflict")?;
    let found = post(format!("{}/replay", late.id)).await?.expect(202)?;
    ensure!(found.text_at("/tenant_id") == api.tenant.to_string(), "its owner can be read now: {}", found.text);
    ensure!(api.number("SELECT count(*) AS n FROM outbox WHERE route = 'meter'").await? == 2);
    for id in [broken, message.id, unowned, late.id] {
        let keyed = api
            .request(Method::POST, &format!("/api/v1/dead-letters/{id}/discard"))
            .header("idempotency-key", id.to_string());
        for replayed in ["", "true"] {
            let again = keyed.try_clone().context("a request without a stream")?;
            ensure!(send(again).await?.expect(204)?.header("idempotent-replayed") == replayed);
        }
        post(format!("{id}/discard")).await?.expect_error(404, "not_found")?;
    }
    Ok(())
}

async fn usage_is_narrowed_down(api: &Api, integration: &str) -> Result<()> {
    let project = api.get("/api/v1/projects").await?.text_at("/items/0/id").to_owned();
    let other = api.post("/api/v1/projects", json!({ "name": "empty" })).await?.expect(201)?.text_at("/id").to_owned();
    for (filter, requests) in [
        ("provider=openai".to_owned(), json!(4)),
        (format!("integration_id={integration}&project_id={project}"), json!(4)),
        ("provider=groq".to_owned(), Value::Null),
        (format!("project_id={other}"), Value::Null),
        (format!("integration_id={integration}&ledger=reported"), Value::Null),
    ] {
        let reply = api.get(&format!("/api/v1/usage?{filter}")).await?.expect(200)?;
        ensure!(reply.at("/items/0/requests") == &requests, "{filter}: {}", reply.text);
    }
    api.get("/api/v1/usage?provider=opnai").await?.expect_error(400, "invalid_parameter")?;
    for gone in [
        format!("project_id={}", keyway_domain::ProjectId::new()),
        format!("integration_id={}", keyway_domain::IntegrationId::new()),
        format!("virtual_key_id={}", keyway_domain::VirtualKeyId::new()),
    ] {
        api.get(&format!("/api/v1/usage?{gone}")).await?.expect_error(404, "not_found")?;
    }
    let key = keyway_domain::VirtualKeyId::new();
    let impossible = format!("/api/v1/usage?ledger=reported&virtual_key_id={key}");
    api.get(&impossible).await?.expect_error(400, "invalid_parameter")?;
    Ok(())
}

async fn usage_is_shown_as_asked(api: Api) -> Result<()> {
    let integration = api.submit("prod", KEY).await?;
    let day = Timestamp::now().day();
    let shown = api.get(&format!("/api/v1/integrations/{integration}")).await?.expect(200)?;
    let (project_id, id) = (shown.text_at("/project_id").parse()?, integration.parse::<IntegrationId>()?);
    let made = |model: &str| MeteredCall {
        request_id: RequestId::new(),
        project_id,
        served_by: ServedBy::Integration(id),
        model: Some(model.to_owned()).filter(|model| !model.is_empty()),
        tokens: TokenCounts { input: Some(10), output: Some(5), ..TokenCounts::default() },
        started_at: Timestamp::now(),
        ..requests::call(0)
    };
    requests::append(&api, &[&made("gpt-4o-mini"), &made("gpt-4o-mini")]).await?;
    requests::append_at(&api, &[&made(""), &made("")], None).await?;
    let by_model = api.get("/api/v1/usage?ledger=metered&group_by=model").await?.expect(200)?;
    let items = by_model.at("/items").as_array().cloned().unwrap_or_default();
    ensure!(items.len() == 2, "{}", by_model.text);
    let mini = items.iter().find(|item| item["model"] == "gpt-4o-mini").cloned().unwrap_or_default();
    ensure!(mini["requests"] == 2 && mini["input_tokens"] == 20 && mini["output_tokens"] == 10, "{mini}");
    ensure!(mini["cost_nano_usd"] == 18_000 && mini.get("day").is_none() && mini["ledger"] == "metered", "{mini}");
    let unknown = items.iter().find(|item| item["model"].is_null()).cloned().unwrap_or_default();
    ensure!(unknown["cost_nano_usd"].is_null() && unknown.get("model").is_some(), "{unknown}");
    let both = api.get("/api/v1/usage?ledger=metered,reported&group_by=day,integration").await?.expect(200)?;
    ensure!(both.at("/items").as_array().map(Vec::len) == Some(1), "{}", both.text);
    ensure!(both.text_at("/items/0/integration_id") == integration && both.text_at("/items/0/day") == day);
    let repeated = "/api/v1/usage?ledger=metered&ledger=reported&group_by=day&group_by=integration";
    ensure!(api.get(repeated).await?.expect(200)?.json == both.json);
    usage_is_narrowed_down(&api, &integration).await?;
    let hours = api.get("/api/v1/usage?group_by=hour").await?.expect(200)?;
    ensure!(hours.text_at("/items/0/hour").starts_with(&day) && hours.text_at("/items/0/hour").ends_with(":00:00Z"));
    let whole = api.get("/api/v1/usage").await?.expect(200)?;
    ensure!(whole.at("/items/0/requests") == 4 && whole.at("/items/0/duration_p50_ms") == 250, "{}", whole.text);
    usage_has_pages(&api).await
}

async fn usage_has_pages(api: &Api) -> Result<()> {
    let path = "/api/v1/usage?group_by=model,integration&limit=1";
    let first = api.get(path).await?.expect(200)?;
    let cursor = first.text_at("/next_cursor").to_owned();
    let second = api.get(&format!("{path}&cursor={cursor}")).await?.expect(200)?;
    ensure!(second.at("/next_cursor").is_null() && first.at("/items/0/model").is_null(), "{}", first.text);
    ensure!(second.text_at("/items/0/model") == "gpt-4o-mini", "{}", second.text);
    api.get("/api/v1/usage?group_by=model&limit=1&ledger=metered,reported")
        .await?
        .expect_error(422, "too_many_groups")?;
    for bad in [
        format!("group_by=model&cursor={cursor}"),
        format!("cursor={cursor}"),
        format!("group_by=model,integration&ledger=metered,reported&cursor={cursor}"),
        "limit=10001".to_owned(),
        "group_by=hour&ledger=reported".to_owned(),
        format!("group_by=hour&from={}", Timestamp::now().before(HOURS_KEPT).day()),
    ] {
        api.get(&format!("/api/v1/usage?{bad}")).await?.expect_error(400, "invalid_parameter")?;
    }
    Ok(())
}
