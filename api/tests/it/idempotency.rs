//! A POST that is sent again is answered again, not carried out again.

use anyhow::{Result, ensure};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::fixture::{Api, KEY, Reply, on_both, send};

on_both! { the_same_request_is_answered_again_with_the_same_body sent_at_once_it_is_carried_out_once }

async fn post(api: &Api, path: &str, key: &str, body: &Value) -> Result<Reply> {
    send(api.request(Method::POST, path).header("idempotency-key", key).json(body)).await
}

async fn the_same_request_is_answered_again_with_the_same_body(api: Api) -> Result<()> {
    let integration = json!({ "provider": "openai", "name": "prod", "credentials": KEY });
    let cases = [
        ("/api/v1/projects", json!({ "name": "shop" }), json!({ "name": "other" })),
        ("/api/v1/tenants", json!({ "name": "shop" }), json!({ "name": "other" })),
        ("/api/v1/integrations", integration, json!({ "provider": "openai", "name": "x", "credentials": KEY })),
        ("/api/v1/virtual-keys", json!({ "name": "app" }), json!({ "name": "other" })),
        ("/api/v1/usage/fetch", json!({}), json!({ "to": "2026-01-01T00:00:00Z" })),
    ];
    for (path, body, other) in cases {
        let first = post(&api, path, "k1", &body).await?;
        ensure!((201..=202).contains(&first.status), "{path}: {}", first.text);
        ensure!(first.header("idempotent-replayed").is_empty());
        let before = api.rows().await?;
        let again = post(&api, path, "k1", &body).await?;
        ensure!((again.status, &again.text) == (first.status, &first.text), "{path}: {}", again.text);
        ensure!(again.header("idempotent-replayed") == "true", "{path}");
        for name in ["location", "etag", "content-type", "cache-control"] {
            ensure!(again.header(name) == first.header(name), "{path}: {name}");
        }
        ensure!(!again.header("location").is_empty(), "{path}");
        post(&api, path, "k1", &other).await?.expect_error(422, "idempotency_key_reused")?;
        ensure!(api.rows().await? == before, "{path}: something was written");
    }
    // A refused request leaves its key free.
    post(&api, "/api/v1/projects", "k2", &json!({ "name": "shop" })).await?.expect_error(409, "name_taken")?;
    post(&api, "/api/v1/projects", "k2", &json!({ "name": "shop 2" })).await?.expect(201)?;
    post(&api, "/api/v1/projects", &"k".repeat(256), &json!({ "name": "x" }))
        .await?
        .expect_error(400, "invalid_parameter")?;
    Ok(())
}

async fn sent_at_once_it_is_carried_out_once(api: Api) -> Result<()> {
    let body = json!({ "name": "app" });
    let replies = join_all((0..16).map(|_| post(&api, "/api/v1/virtual-keys", "same", &body))).await;
    let mut keys = Vec::new();
    for reply in replies {
        let reply = reply?;
        if reply.status == 201 {
            keys.push(reply.text_at("/key").to_owned());
        } else {
            let reply = reply.expect_error(409, "idempotency_key_in_flight")?;
            ensure!(reply.header("retry-after") == "1");
        }
    }
    keys.dedup();
    ensure!(keys.len() == 1 && !keys[0].is_empty(), "{keys:?}");
    ensure!(api.number("SELECT count(*) AS n FROM virtual_keys").await? == 1);
    Ok(())
}
