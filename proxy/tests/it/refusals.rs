//! Keyway's own refusals: in the caller's shape, with a code of their own, and without a call.

use std::time::Duration;

use keyway_domain::{Invalidation, Timestamp};
use keyway_store::integrations;
use keyway_vault::Vault;
use serde_json::{Value, json};

use super::harness::{Harness, Key, SECRET, chat, until};

async fn refusal(answer: reqwest::Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let header = answer.headers()["x-keyway-error"].to_str().unwrap().to_owned();
    assert!(answer.headers().contains_key("x-keyway-request-id"));
    let body: Value = answer.json().await.unwrap();
    let error = body["error"].as_object().unwrap();
    for field in ["message", "type", "param", "code"] {
        assert!(error.contains_key(field), "{body}");
    }
    assert_eq!(error["code"], header.as_str());
    (status, header)
}

async fn refused(harness: &Harness, key: &Key) -> (u16, String) {
    refusal(harness.post("/v1/chat/completions", key, &chat(false)).send().await.unwrap()).await
}

#[tokio::test]
async fn a_wrong_revoked_or_expired_key_is_told_apart() {
    let (harness, key) = Harness::ready().await;
    let soon = Timestamp::now().after(Duration::from_millis(300));
    let expiring = harness.virtual_key(Some(soon)).await;
    assert_eq!(harness.get("/proxy/openai/v1/models", &expiring).send().await.unwrap().status(), 200);
    until("the key to expire", async || Timestamp::now() > soon).await;
    let code = |status, text: &str| (status, text.to_owned());
    assert_eq!(refused(&harness, &expiring).await, code(401, "virtual_key_expired"));
    harness.revoke(&key).await;
    assert_eq!(refused(&harness, &key).await, code(401, "virtual_key_revoked"));
    let unknown =
        Key { id: key.id, text: keyway_vault::token::VirtualKeyToken::generate().unwrap().plain().to_owned() };
    assert_eq!(refused(&harness, &unknown).await, code(401, "invalid_virtual_key"));
    let mistyped = Key { id: key.id, text: format!("{}x", &key.text[..key.text.len() - 1]) };
    assert_eq!(refused(&harness, &mistyped).await, code(401, "invalid_virtual_key"));
    let none = harness.http.post(format!("{}/v1/chat/completions", harness.url)).json(&chat(false));
    assert_eq!(refusal(none.send().await.unwrap()).await, code(401, "missing_virtual_key"));
    assert_eq!(harness.simulator.calls(SECRET, "/v1/chat/completions"), 0);
    assert_eq!(harness.records(1).await.len(), 1, "strangers leave no record");
}

#[tokio::test]
async fn unknown_providers_missing_integrations_and_their_states_are_told_apart() {
    let (harness, key) = Harness::ready().await;
    let get = async |path: &str| refusal(harness.get(path, &key).send().await.unwrap()).await;
    let code = |status, text: &str| (status, text.to_owned());
    assert_eq!(get("/proxy/nobody/v1/models").await, code(404, "unknown_provider"));
    assert_eq!(get("/proxy/groq/openai/v1/models").await, code(404, "integration_not_found"));
    assert_eq!(get("/v1/assistants").await, code(404, "unknown_route"));
    assert_eq!(get("/v1/embeddings").await, code(405, "method_not_allowed"));
    let id = harness.integration("groq", "sk-sim-good-2").await;
    harness.tell(Invalidation::Integrations).await;
    until("the integration", async || harness.get("/proxy/groq/v1/models", &key).send().await.unwrap().status() == 200)
        .await;
    let tx = harness.store.tenant(harness.tenant).await.unwrap();
    integrations::set_enabled(&tx, id, false, None, Timestamp::now()).await.unwrap();
    tx.commit().await.unwrap();
    harness.proxy.forget(harness.tenant, Invalidation::Integrations);
    assert_eq!(get("/proxy/groq/v1/models").await, code(409, "integration_disabled"));
}

#[tokio::test]
async fn bad_and_large_bodies_are_refused_before_the_provider_is_called() {
    let (harness, key) = Harness::ready().await;
    let send = async |path: &str, kind: &str, body: reqwest::Body| {
        let call = harness.http.post(format!("{}{path}", harness.url)).bearer_auth(&key.text);
        refusal(call.header("content-type", kind).body(body).send().await.unwrap()).await
    };
    let code = |status, text: &str| (status, text.to_owned());
    for (body, expected) in [
        ("", "invalid_json"),
        ("{", "invalid_json"),
        ("[]", "invalid_json"),
        (r#"{"model":"a","model":"b"}"#, "invalid_json"),
        (r#"{"model":7}"#, "missing_model"),
        (r#"{"messages":[]}"#, "missing_model"),
    ] {
        let refused = send("/v1/chat/completions", "application/json", body.into()).await;
        assert_eq!(refused, code(400, expected), "{body}");
    }
    assert_eq!(send("/v1/chat/completions", "text/plain", "{}".into()).await, code(400, "invalid_json"));
    assert_eq!(
        send("/proxy/openai", "application/json", r#"{"payload":{},"x":1}"#.into()).await,
        code(400, "invalid_json")
    );
    let big = json!({ "model": "gpt-4o-mini", "x": "y".repeat(65 << 10) }).to_string();
    for path in ["/v1/chat/completions", "/v1/embeddings", "/proxy/openai/v1/chat/completions", "/proxy/openai"] {
        assert_eq!(send(path, "application/json", big.clone().into()).await, code(413, "body_too_large"), "{path}");
        let pieces: Vec<Result<String, std::io::Error>> = (0..70).map(|_| Ok("z".repeat(1 << 10))).collect();
        let streamed = reqwest::Body::wrap_stream(futures::stream::iter(pieces));
        assert_eq!(send(path, "application/json", streamed).await, code(413, "body_too_large"), "{path}");
    }
    assert!(harness.simulator.all_calls().is_empty());
}

#[tokio::test]
async fn a_host_that_does_not_answer_is_a_bad_gateway_and_is_recorded() {
    let harness =
        Harness::start_with(Vault::open(keyway_vault::Keyring::generate().unwrap()), &["127.0.0.1:9".to_owned()]).await;
    harness.integration_at("openai", SECRET, "http://127.0.0.1:9/v1").await;
    harness.integration_at("groq", SECRET, "http://10.0.0.1/v1").await;
    let key = harness.virtual_key(None).await;
    let answer = harness.get("/proxy/openai/v1/models", &key).send().await.unwrap();
    assert_eq!(refusal(answer).await, (502, "upstream_unreachable".to_owned()));
    let answer = harness.get("/proxy/groq/v1/models", &key).send().await.unwrap();
    assert_eq!(refusal(answer).await, (502, "upstream_forbidden".to_owned()));
    let records = harness.records(2).await;
    assert_eq!((records[0].http_status, records[0].complete, records[0].refused_code.as_deref()), (None, false, None));
    assert_eq!(records[1].refused_code.as_deref(), Some("upstream_forbidden"));
}

#[tokio::test]
async fn a_sealed_vault_opens_nothing() {
    let mut harness = Harness::start().await;
    harness.integration("openai", SECRET).await;
    let key = harness.virtual_key(None).await;
    harness.keys = keyway_store::TenantKeyCache::new(std::sync::Arc::new(Vault::sealed("no keyring".to_owned())));
    harness.restart().await;
    assert_eq!(refused(&harness, &key).await, (503, "sealed".to_owned()));
    let other = Vault::open(keyway_vault::Keyring::generate().unwrap());
    harness.keys = keyway_store::TenantKeyCache::new(std::sync::Arc::new(other));
    harness.restart().await;
    assert_eq!(refused(&harness, &key).await, (503, "credential_unreadable".to_owned()));
    assert!(harness.simulator.all_calls().is_empty());
}
