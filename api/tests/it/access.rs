//! Access: every route asks for a key, and no id of another tenant is ever found.

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use keyway_vault::token::VirtualKeyToken;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    document::document,
    fixture::{Api, KEY, on_both, send},
    things::{self, Things},
};

on_both! { ids_of_another_tenant_are_not_found }

/// Returns every method and path of the management API in the document, with an unknown id for each placeholder.
fn documented() -> Result<Vec<(Method, String)>> {
    let document = document()?;
    let mut routes = Vec::new();
    let paths = document["paths"].as_object().context("no paths")?;
    for (path, methods) in paths.iter().filter(|(path, _)| path.starts_with("/api/")) {
        for (method, operation) in methods.as_object().context("no methods")? {
            // Open to anybody: what is sent proves itself.
            // And what an application calls takes no admin key.
            if operation["security"] == json!([{}]) || path == "/api/v1/me/usage" {
                continue;
            }
            let method = Method::from_bytes(method.to_uppercase().as_bytes())?;
            routes.push((method, path.replace("{id}", "int_00000000000000000000000000000000")));
        }
    }
    ensure!(routes.len() > 35, "the document is not complete: {}", routes.len());
    Ok(routes)
}

#[tokio::test]
async fn every_route_asks_for_the_admin_key() -> Result<()> {
    let api = Api::sqlite().await?;
    let before = but_for_the_audit(&api).await?;
    let virtual_key = VirtualKeyToken::generate().context("no random bytes")?;
    // At once, because whoever sends many wrong keys is answered late.
    let ask = async |(method, path): (Method, String)| -> Result<()> {
        let named = |error: anyhow::Error| error.context(format!("{method} {path}"));
        let anonymous = send(api.anonymous(method.clone(), &path)).await?;
        let anonymous = anonymous.expect_error(401, "unauthenticated").map_err(named)?;
        ensure!(anonymous.header("www-authenticate").starts_with("Bearer"));
        for wrong in ["x", "kw_live_x", &api.admin_key[1..], &format!("{}x", api.admin_key)] {
            let reply = send(api.anonymous(method.clone(), &path).bearer_auth(wrong)).await?;
            reply.expect_error(401, "unauthenticated").map_err(named)?;
        }
        let basic = send(api.anonymous(method.clone(), &path).basic_auth("admin", Some(&api.admin_key))).await?;
        basic.expect_error(401, "unauthenticated").map_err(named)?;
        let reply = send(api.anonymous(method.clone(), &path).bearer_auth(virtual_key.plain())).await?;
        reply.expect_error(403, "not_allowed").map_err(named)?;
        Ok(())
    };
    try_join_all(documented()?.into_iter().map(ask)).await?;
    ensure!(but_for_the_audit(&api).await? == before);
    Ok(())
}

/// Counts the rows of all tables, without those about wrong keys.
async fn but_for_the_audit(api: &Api) -> Result<Vec<(&'static str, i64)>> {
    let mut rows = api.rows().await?;
    rows.retain(|(table, _)| *table != "outbox");
    rows.push(("outbox", api.number("SELECT count(*) AS n FROM outbox WHERE route <> 'audit'").await?));
    Ok(rows)
}

/// The proxy's routes in the document exist: each asks for a virtual key, in every header an SDK uses.
#[tokio::test]
async fn every_proxied_route_of_the_document_asks_for_a_virtual_key() -> Result<()> {
    let api = Api::sqlite().await?;
    let document = document()?;
    let paths = document["paths"].as_object().context("no paths")?;
    let mut asked = Vec::new();
    let is_proxied = |path: &str| !path.starts_with("/api/") && !path.starts_with("/content/");
    for (path, methods) in paths.iter().filter(|(path, _)| is_proxied(path)) {
        let path = path.replace("{provider}", "openai").replace("{path}", "v1/models").replace("{id}", "x");
        for method in methods.as_object().context("no methods")?.keys() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes())?;
            asked.push((method, path.clone()));
        }
    }
    ensure!(asked.len() > 40, "the document is not complete: {}", asked.len());
    let ask = async |(method, path): (Method, String)| -> Result<()> {
        for header in ["authorization", "x-api-key", "api-key", "x-goog-api-key"] {
            let reply = send(api.anonymous(method.clone(), &path).header(header, "Bearer x")).await?;
            reply.expect(401).map_err(|error| error.context(format!("{method} {path}")))?;
        }
        Ok(())
    };
    try_join_all(asked.into_iter().map(ask)).await?;
    Ok(())
}

#[tokio::test]
async fn the_tenant_header_must_name_a_tenant() -> Result<()> {
    let mut api = Api::sqlite().await?;
    api.acting_in = Some(keyway_domain::TenantId::new().to_string());
    api.get("/api/v1/projects").await?.expect_error(404, "not_found")?;
    api.acting_in = Some("default".to_owned());
    api.get("/api/v1/projects").await?.expect_error(400, "invalid_parameter")?;
    Ok(())
}

async fn ids_of_another_tenant_are_not_found(mut api: Api) -> Result<()> {
    let other = api.post("/api/v1/tenants", json!({ "name": "other" })).await?.expect(201)?.text_at("/id").to_owned();
    let Things { project, key, integration, operation, provider, model } = things::made(&api).await?;
    let before = api.rows().await?;
    api.acting_in = Some(other);
    for (name, id) in [
        ("projects", &project),
        ("virtual-keys", &key),
        ("integrations", &integration),
        ("operations", &operation),
        ("providers", &provider),
    ] {
        api.get(&format!("/api/v1/{name}/{id}")).await?.expect_error(404, "not_found")?;
    }
    for (name, id) in [
        ("projects", &project),
        ("virtual-keys", &key),
        ("integrations", &integration),
        ("providers", &provider),
        ("providers/models", &model),
    ] {
        api.delete(&format!("/api/v1/{name}/{id}")).await?.expect_error(404, "not_found")?;
    }
    for (path, body) in [
        (format!("projects/{project}"), json!({ "name": "x" })),
        (format!("virtual-keys/{key}"), json!({ "name": "x" })),
        (format!("integrations/{integration}"), json!({ "enabled": false })),
    ] {
        api.patch(&format!("/api/v1/{path}"), body).await?.expect_error(404, "not_found")?;
    }
    for path in [
        format!("virtual-keys/{key}/revoke"),
        format!("integrations/{integration}/test"),
        format!("operations/{operation}/cancel"),
        format!("operations/{operation}/retry"),
    ] {
        send(api.request(Method::POST, &format!("/api/v1/{path}"))).await?.expect_error(404, "not_found")?;
    }
    let credentials = json!({ "credentials": KEY.replace("wxyz", "0001") });
    let path = format!("/api/v1/integrations/{integration}/credentials");
    api.put(&path, credentials).await?.expect_error(404, "not_found")?;
    let change = json!({ "display_name": "x", "base_url": "https://x.example.com" });
    api.put("/api/v1/providers/acme", change).await?.expect_error(404, "not_found")?;
    api.get("/api/v1/providers/acme/models").await?.expect_error(404, "not_found")?;
    api.post("/api/v1/providers/acme/models", json!({ "models": ["x"] })).await?.expect_error(404, "not_found")?;
    bodies_do_not_reach_over(&api, &integration, &project).await?;
    lists_are_empty(&api).await?;
    ensure!(api.rows().await? == before, "something was written");
    // The same key may be kept by two tenants; neither learns of the other.
    api.submit("prod", KEY).await?;
    Ok(())
}

async fn lists_are_empty(api: &Api) -> Result<()> {
    for list in ["integrations", "virtual-keys", "operations", "audit", "dead-letters"] {
        let reply = api.get(&format!("/api/v1/{list}")).await?.expect(200)?;
        ensure!(reply.at("/items") == &json!([]) && reply.at("/next_cursor") == &Value::Null, "{list}: {}", reply.text);
    }
    Ok(())
}

async fn bodies_do_not_reach_over(api: &Api, integration: &str, project: &str) -> Result<()> {
    let fetch = json!({ "integration_id": integration });
    api.post("/api/v1/usage/fetch", fetch).await?.expect_error(404, "not_found")?;
    let stolen = json!({ "project_id": project, "name": "x" });
    api.post("/api/v1/virtual-keys", stolen).await?.expect_error(404, "not_found")?;
    Ok(())
}
