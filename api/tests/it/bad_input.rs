//! Every bad input has its status and code, and writes nothing.

use anyhow::{Result, ensure};
use keyway_testkit::postgres::TestDatabase;
use keyway_vault::Vault;
use reqwest::{Body, Method};
use serde_json::json;

use crate::fixture::{Api, KEY, Options, on_both, send};

on_both! {
    what_cannot_be_used_is_refused_and_writes_nothing
    a_duplicate_key_names_the_integration_that_has_it
    projects_may_share_a_key_and_providers_a_name
}

const INTEGRATIONS: &str = "/api/v1/integrations";

/// A submission that would be accepted.
fn good() -> String {
    json!({ "provider": "openai", "name": "prod", "credentials": KEY }).to_string()
}

/// Bodies of a submission, each wrong in its own way.
fn wrong() -> Vec<(String, u16, &'static str)> {
    let good = good();
    let with = |from: &str, to: &str| good.replace(from, to);
    vec![
        ("{".to_owned(), 400, "malformed_json"),
        (String::new(), 400, "malformed_json"),
        (good.clone() + "x", 400, "malformed_json"),
        ("\u{0}".to_owned(), 400, "malformed_json"),
        ("[".repeat(4000), 400, "malformed_json"),
        (format!("[null,\"openai\",\"prod\",\"{KEY}\",{{}},null]"), 422, "invalid_field"),
        (with("\"name\"", "\"nmae\""), 422, "unknown_field"),
        (with("\"prod\"", "\"prod\",\"extra\":1"), 422, "unknown_field"),
        (with("\"prod\"", "\"prod\",\"config\":{\"x\":1}"), 422, "unknown_field"),
        (with("\"name\":\"prod\",", ""), 422, "invalid_field"),
        (with("\"prod\"", "7"), 422, "invalid_field"),
        (with("\"prod\"", "\"\""), 422, "invalid_field"),
        (with("\"prod\"", &format!("\"{}\"", "x".repeat(101))), 422, "invalid_field"),
        (with("\"prod\"", "\"prod\",\"expires_at\":\"2020-01-01T00:00:00Z\""), 422, "invalid_field"),
        (with("\"prod\"", "\"prod\",\"expires_at\":\"soon\""), 422, "invalid_field"),
        (with("\"prod\"", "\"prod\",\"project_id\":\"prj_x\""), 422, "invalid_field"),
        (
            with("\"prod\"", &format!("\"prod\",\"project_id\":\"{}\"", keyway_domain::ProjectId::new())),
            404,
            "not_found",
        ),
        (with("openai", "nobody"), 422, "unknown_provider"),
        (with("openai", "open\\u0000ai"), 422, "unknown_provider"),
        (with(KEY, "sk-***"), 422, "malformed_key"),
        (with(KEY, ""), 422, "malformed_key"),
        (with(KEY, "sk-ant-api03-bbbbbbbbbbbbbbbb"), 422, "malformed_key"),
        (with(&format!("\"{KEY}\""), "{\"a\":\"b\"}"), 422, "malformed_key"),
        (with(&format!("\"{KEY}\""), "[1]"), 422, "invalid_field"),
        (with("\"prod\"", "\"prod\",\"config\":{\"base_url\":\"http://10.0.0.1/v1\"}"), 422, "forbidden_host"),
        (with("\"prod\"", "\"prod\",\"config\":{\"base_url\":\"https://localhost/v1\"}"), 422, "forbidden_host"),
        (with("\"prod\"", "\"prod\",\"config\":{\"base_url\":\"nonsense\"}"), 422, "forbidden_host"),
        ("x".repeat(17 * 1024), 413, "body_too_large"),
    ]
}

async fn bodies(api: &Api) -> Result<()> {
    for (body, status, code) in wrong() {
        let shown = body.chars().take(120).collect::<String>();
        let request = api.request(Method::POST, INTEGRATIONS).header("content-type", "application/json").body(body);
        let reply = send(request).await?;
        reply.expect_error(status, code).map_err(|error| error.context(shown))?;
    }
    Ok(())
}

async fn what_cannot_be_used_is_refused_and_writes_nothing(api: Api) -> Result<()> {
    let before = api.rows().await?;
    let good = good();
    bodies(&api).await?;
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        let request = api.request(Method::POST, INTEGRATIONS).header("content-type", kind).body(good.clone());
        send(request).await?.expect_error(415, "wrong_content_type")?;
    }
    send(api.request(Method::POST, INTEGRATIONS).body(good.clone())).await?.expect_error(415, "wrong_content_type")?;
    for (method, path, status, code) in [
        (Method::GET, "/api/v1/nothing", 404, "not_found"),
        (Method::GET, "/nothing", 404, "not_found"),
        (Method::GET, "/", 404, "not_found"),
        (Method::POST, "/nothing", 404, "not_found"),
        (Method::DELETE, "/", 404, "not_found"),
        (Method::PUT, INTEGRATIONS, 405, "method_not_allowed"),
        (Method::POST, "/api/docs", 405, "method_not_allowed"),
        (Method::DELETE, "/api/openapi.json", 405, "method_not_allowed"),
        (Method::GET, "/api/v1/projects?limit=0", 400, "invalid_parameter"),
        (Method::GET, "/api/v1/projects?limit=x", 400, "invalid_parameter"),
        (Method::GET, "/api/v1/projects?cursor=x", 400, "invalid_parameter"),
        (Method::GET, "/api/v1/projects?nothing=x", 400, "invalid_parameter"),
        (Method::GET, "/api/v1/integrations?status=odd", 400, "invalid_parameter"),
        (Method::GET, "/api/v1/integrations?provider=%00", 400, "invalid_parameter"),
        (Method::GET, "/api/v1/audit?action=a%00b", 400, "invalid_parameter"),
        (Method::GET, "/api/v1/usage?group_by=colour", 400, "invalid_parameter"),
        (Method::GET, "/api/v1/usage?ledger=both", 400, "invalid_parameter"),
        (Method::GET, "/api/v1/usage?from=2026-02-01&to=2026-01-01", 400, "invalid_parameter"),
        (Method::GET, "/api/v1/usage?from=yesterday", 400, "invalid_parameter"),
    ] {
        let reply = send(api.request(method, path)).await?;
        reply.expect_error(status, code).map_err(|error| error.context(path))?;
    }
    let reply = send(api.request(Method::PUT, INTEGRATIONS)).await?;
    ensure!(reply.header("allow") == "POST, GET", "{:?}", reply.headers);
    for (path, body) in [
        ("/api/v1/usage/fetch", json!({ "from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z" })),
        ("/api/v1/usage/fetch", json!({ "to": "2999-01-01T00:00:00Z" })),
        ("/api/v1/projects", json!({ "name": " " })),
        ("/api/v1/providers", json!({ "name": "A B", "base_url": "https://api.acme.dev" })),
        ("/api/v1/providers", json!({ "name": "acme", "base_url": "https://api.acme.dev", "models": [""] })),
        ("/api/v1/providers", json!({ "name": "acme", "base_url": "https://api.acme.dev", "auth": "basic" })),
    ] {
        api.post(path, body).await?.expect_error(422, "invalid_field")?;
    }
    ensure!(api.rows().await? == before, "something was written");
    Ok(())
}

async fn projects_may_share_a_key_and_providers_a_name(api: Api) -> Result<()> {
    let first = api.submit("prod", KEY).await?;
    let project = api.post("/api/v1/projects", json!({ "name": "shop" })).await?.expect(201)?.text_at("/id").to_owned();
    let of = |provider: &str, name: &str, key: &str, project: Option<&str>| {
        let mut body = json!({ "provider": provider, "name": name, "credentials": key });
        if let Some(project) = project {
            body["project_id"] = project.into();
        }
        body
    };
    let second = api.post(INTEGRATIONS, of("openai", "prod", KEY, Some(&project))).await?.expect(202)?;
    let second = second.text_at("/integration/id").to_owned();
    ensure!(first != second);
    let again = of("openai", "other", KEY, Some(&project));
    let refused = api.post(INTEGRATIONS, again).await?.expect_error(409, "duplicate_key")?;
    ensure!(refused.text_at("/error/message").contains(&second), "the one of the same project: {}", refused.text);
    let groq = "gsk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    api.post(INTEGRATIONS, of("groq", "prod", groq, None)).await?.expect(202)?;
    let taken = of("openai", "prod", &KEY.replace("wxyz", "0001"), None);
    api.post(INTEGRATIONS, taken).await?.expect_error(409, "name_taken")?;
    // What its provider reports of a key counts once.
    let active = api.post("/api/v1/usage/fetch", json!({ "provider": "openai" })).await?.expect(202)?;
    ensure!(active.at("/operation/total") == &json!(1), "{}", active.text);
    Ok(())
}

async fn a_duplicate_key_names_the_integration_that_has_it(api: Api) -> Result<()> {
    let first = api.submit("prod", KEY).await?;
    let before = api.rows().await?;
    let again = json!({ "provider": "openai", "name": "other", "credentials": KEY });
    let reply = api.post(INTEGRATIONS, again).await?.expect_error(409, "duplicate_key")?;
    ensure!(reply.text_at("/error/message").contains(&first), "{}", reply.text);
    let same_name = json!({ "provider": "openai", "name": "prod", "credentials": KEY.replace("wxyz", "0001") });
    api.post(INTEGRATIONS, same_name).await?.expect_error(409, "name_taken")?;
    ensure!(api.rows().await? == before, "something was written");
    // The same key for another provider is another secret.
    let custom = json!({ "name": "acme", "base_url": "https://api.acme.dev/v1" });
    api.post("/api/v1/providers", custom).await?.expect(201)?;
    let elsewhere = json!({ "provider": "acme", "name": "elsewhere", "credentials": KEY });
    api.post(INTEGRATIONS, elsewhere).await?.expect(202)?;
    Ok(())
}

#[tokio::test]
async fn a_chunked_body_is_counted_too() -> Result<()> {
    let api = Api::sqlite().await?;
    let before = api.rows().await?;
    let pieces = (0..64).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1024]));
    let body = Body::wrap_stream(futures::stream::iter(pieces));
    let request = api.request(Method::POST, INTEGRATIONS).header("content-type", "application/json").body(body);
    send(request).await?.expect_error(413, "body_too_large")?;
    ensure!(api.rows().await? == before);
    Ok(())
}

#[tokio::test]
async fn a_sealed_vault_takes_no_credential_and_says_so() -> Result<()> {
    let options = Options { vault: Vault::sealed("for the test".to_owned()), ..Options::usual()? };
    let api = Api::start(TestDatabase::sqlite()?, options).await?;
    let before = api.rows().await?;
    let body = json!({ "provider": "openai", "name": "prod", "credentials": KEY });
    let reply = api.post(INTEGRATIONS, body).await?.expect_error(503, "sealed")?;
    ensure!(!reply.header("retry-after").is_empty());
    ensure!(api.rows().await? == before);
    // Nothing of a request is kept by which its credential could be guessed: no keyring, no idempotency key.
    let keyed = api.request(Method::POST, "/api/v1/projects").header("idempotency-key", "k");
    send(keyed.json(&json!({ "name": "shop" }))).await?.expect_error(503, "sealed")?;
    api.post("/api/v1/projects", json!({ "name": "shop" })).await?.expect(201)?;
    Ok(())
}

#[tokio::test]
async fn a_database_that_is_away_is_said_so() -> Result<()> {
    let api = Api::sqlite().await?;
    api.store.clone().close().await;
    for reply in [
        api.get("/api/v1/projects").await?,
        api.post("/api/v1/projects", json!({ "name": "shop" })).await?,
        api.post(INTEGRATIONS, json!({ "provider": "openai", "name": "prod", "credentials": KEY })).await?,
    ] {
        let reply = reply.expect_error(503, "unavailable")?;
        ensure!(reply.header("retry-after") == "1");
    }
    Ok(())
}
