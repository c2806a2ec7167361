//! What is kept in memory: enough to serve without the database, and nothing longer than it may.

use http::Method;
use keyway_domain::Invalidation;
use serde_json::json;

use super::harness::{Harness, SECRET, chat, until};
use crate::fixture::{Api, send};

#[tokio::test]
async fn a_warm_proxy_serves_without_its_database() {
    let (harness, key) = Harness::ready().await;
    harness.proxy.warm().await.unwrap();
    harness.store.clone().close().await;
    for stream in [false, true] {
        for path in ["/v1/chat/completions", "/proxy/openai/v1/chat/completions"] {
            let answer = harness.post(path, &key, &chat(stream)).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            answer.text().await.unwrap();
        }
    }
    assert_eq!(harness.simulator.calls(SECRET, "/v1/chat/completions"), 4);
    assert_eq!(harness.get("/v1/models", &key).send().await.unwrap().status(), 200);
    harness.proxy.forget(harness.tenant, Invalidation::Integrations);
    let answer = harness.post("/v1/chat/completions", &key, &chat(false)).send().await.unwrap();
    assert_eq!(answer.status(), 503, "what was forgotten has to be read, and cannot be");
    assert_eq!(answer.headers()["x-keyway-error"], "unavailable");
}

#[tokio::test]
async fn a_revoked_key_is_refused_as_soon_as_the_proxy_is_told() {
    let (harness, key) = Harness::ready().await;
    let status = async || harness.get("/proxy/openai/v1/models", &key).send().await.unwrap().status().as_u16();
    assert_eq!(status().await, 200);
    harness.revoke(&key).await;
    assert_eq!(status().await, 200, "nobody told it yet");
    harness.proxy.forget(harness.tenant, Invalidation::VirtualKey { id: key.id });
    assert_eq!(status().await, 401);
}

#[tokio::test]
async fn the_bus_tells_every_proxy_what_changed() {
    let (harness, key) = Harness::ready().await;
    let status = async || harness.get("/proxy/openai/v1/models", &key).send().await.unwrap().status().as_u16();
    assert_eq!(status().await, 200);
    harness.revoke(&key).await;
    harness.tell(Invalidation::VirtualKey { id: key.id }).await;
    until("the key to be refused", async || status().await == 401).await;
}

#[tokio::test]
async fn a_new_key_works_within_the_time_that_absence_is_believed() {
    let (harness, _) = Harness::ready().await;
    let token = keyway_api::VirtualKeyToken::generate().unwrap();
    let get = async |text: &str| {
        let call = harness.http.get(format!("{}/proxy/openai/v1/models", harness.url)).bearer_auth(text);
        call.send().await.unwrap().status().as_u16()
    };
    assert_eq!(get(token.expose()).await, 401);
    let new = keyway_store::virtual_keys::NewVirtualKey {
        project_id: harness.project,
        name: "late".to_owned(),
        token_sha256: token.sha256(),
        hint: token.hint(),
        expires_at: None,
        limits: keyway_domain::Limits::default(),
        cache_ttl_seconds: None,
    };
    let tx = harness.store.tenant(harness.tenant).await.unwrap();
    keyway_store::virtual_keys::insert(&tx, new, keyway_domain::Timestamp::now()).await.unwrap();
    tx.commit().await.unwrap();
    until("the key to be known", async || get(token.expose()).await == 200).await;
}

#[tokio::test]
async fn a_key_that_is_revoked_over_the_api_is_refused_when_the_answer_is_there() -> anyhow::Result<()> {
    let api = Api::sqlite().await?;
    let made = api.post("/api/v1/virtual-keys", json!({ "name": "app" })).await?.expect(201)?;
    let models = || send(api.anonymous(Method::GET, "/v1/models").bearer_auth(made.text_at("/key")));
    models().await?.expect(200)?;
    // Nothing relays the outbox here: only the process itself can know.
    api.post(&format!("/api/v1/virtual-keys/{}/revoke", made.text_at("/id")), json!({})).await?.expect(200)?;
    let refused = models().await?.expect(401)?;
    assert_eq!(refused.text_at("/error/code"), "virtual_key_revoked");
    Ok(())
}
