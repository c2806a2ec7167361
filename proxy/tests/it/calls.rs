//! Calls that succeed: the answer is the provider's, and one record of it is kept.

use keyway_domain::TokenCounts;
use keyway_testkit::simulator::tokens_of;
use serde_json::{Value, json};

use super::{
    harness::{Harness, SECRET, chat, until},
    scripted::{Scripted, behind},
};

/// Returns the text of an answer without the number that the simulator gives each call.
pub(super) fn unnumbered(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("sim0") {
        out.push_str(before);
        rest = behind.trim_start_matches(|character: char| character.is_ascii_digit());
    }
    out + rest
}

#[tokio::test]
async fn a_json_answer_is_the_providers_own_and_is_metered() {
    let (harness, key) = Harness::ready().await;
    let direct = harness.http.post(format!("{}/chat/completions", harness.simulator.base_url));
    let direct = direct.bearer_auth(SECRET).json(&chat(false)).send().await.unwrap();
    let direct_headers = direct.headers().clone();
    let direct = direct.text().await.unwrap();
    for path in ["/proxy/openai/v1/chat/completions", "/v1/chat/completions"] {
        let answer = harness.post(path, &key, &chat(false)).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        for name in ["content-type", "openai-processing-ms", "x-ratelimit-remaining-requests", "content-length"] {
            assert_eq!(answer.headers().get(name), direct_headers.get(name), "{name}");
        }
        let id = answer.headers()["x-keyway-request-id"].to_str().unwrap().to_owned();
        assert_eq!(unnumbered(&answer.text().await.unwrap()), unnumbered(&direct));
        let record = harness.records(1).await.remove(0);
        assert_eq!(record.request_id.to_string(), id);
        assert_eq!((record.provider.as_str(), record.model.as_deref()), ("openai", Some("gpt-4o-mini")));
        assert_eq!((record.path.as_str(), record.http_status), ("/v1/chat/completions", Some(200)));
        assert_eq!((record.virtual_key_id, record.project_id), (key.id, harness.project));
        let output = tokens_of("This is a simulated answer to 3 words.");
        assert_eq!((record.tokens.input, record.tokens.output), (Some(3), Some(output)));
        assert!(record.complete && !record.streamed && record.first_byte_ms.is_some());
    }
}

#[tokio::test]
async fn figures_that_are_shown_again_are_not_counted_again() {
    let body = json!({ "model": "gpt-4o", "usage": { "prompt_tokens": 8, "completion_tokens": 1, "total_tokens": 9 } });
    let events = format!("data: {body}\n\ndata: [DONE]\n\n");
    for (kind, body) in [("application/json", body.to_string()), ("text/event-stream", events)] {
        let length = body.len();
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}");
        let (_provider, harness, key) = behind(Scripted::says(answer).await).await;
        let path = "/proxy/openai/v1/chat/completions";
        let shown = harness.get(&format!("{path}/chatcmpl-1"), &key).send().await.unwrap();
        assert_eq!(shown.text().await.unwrap(), body);
        assert_eq!(harness.records(1).await.remove(0).tokens, TokenCounts::default(), "{kind}");
        harness.post(path, &key, &chat(false)).send().await.unwrap().text().await.unwrap();
        assert_eq!(harness.records(1).await.remove(0).tokens.input, Some(8), "{kind}");
    }
}

#[tokio::test]
async fn every_sdks_header_carries_the_key() {
    let (harness, key) = Harness::ready().await;
    for (name, value) in [
        ("authorization", format!("Bearer {}", key.text)),
        ("x-api-key", key.text.clone()),
        ("api-key", key.text.clone()),
        ("x-goog-api-key", key.text.clone()),
    ] {
        let call = harness.http.get(format!("{}/proxy/openai/v1/models?limit=2&key={}", harness.url, key.text));
        let answer = call.header(name, value).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{name}");
        assert_eq!(answer.json::<Value>().await.unwrap()["object"], "list");
    }
    let calls = harness.records(4).await;
    assert!(calls.iter().all(|call| call.tokens == TokenCounts::default() && call.path == "/v1/models"), "{calls:?}");
    assert_eq!(harness.simulator.calls(SECRET, "/v1/models"), 4);
}

#[tokio::test]
async fn embeddings_completions_and_wrapped_payloads_reach_their_endpoints() {
    let (harness, key) = Harness::ready().await;
    let body = json!({ "model": "text-embedding-3-small", "input": ["a b", "c"] });
    let answer = harness.post("/v1/embeddings", &key, &body).send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap()["data"].as_array().unwrap().len(), 2);
    let body = json!({ "model": "gpt-4o-mini", "prompt": "a b c d" });
    let answer = harness.post("/v1/completions", &key, &body).send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap()["object"], "text_completion");
    let answer = harness.post("/proxy/openai", &key, &json!({ "payload": chat(false) })).send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap()["object"], "chat.completion");
    let answer = harness.post("/proxy/openai/stream", &key, &json!({ "payload": chat(false) })).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream; charset=utf-8");
    assert!(answer.text().await.unwrap().ends_with("data: [DONE]\n\n"));
    let mut records = harness.records(4).await;
    records.sort_by_key(|record| record.request_id);
    let inputs: Vec<_> = records.iter().map(|record| record.tokens.input).collect();
    assert_eq!(inputs, [Some(3), Some(4), Some(3), Some(3)]);
    assert_eq!(records[0].tokens.output, Some(0));
    assert!(records[3].streamed);
}

#[tokio::test]
async fn what_the_provider_refuses_passes_with_its_status_and_headers() {
    for (secret, status, code) in [
        ("sk-sim-revoked-1", 401, json!("invalid_api_key")),
        ("sk-sim-429-1", 429, json!("rate_limit_exceeded")),
        ("sk-sim-500-1", 500, Value::Null),
    ] {
        let (harness, key) = Harness::ready_with(secret).await;
        let answer = harness.post("/v1/chat/completions", &key, &chat(true)).send().await.unwrap();
        assert_eq!(answer.status(), status);
        assert!(answer.headers().get("x-keyway-error").is_none(), "it is the provider's own answer");
        assert_eq!(answer.headers().contains_key("retry-after"), status == 429);
        assert_eq!(answer.json::<Value>().await.unwrap()["error"]["code"], code);
        let record = harness.records(1).await.remove(0);
        assert_eq!((record.http_status, record.tokens), (Some(status), TokenCounts::default()));
        assert!(record.complete);
    }
}

#[tokio::test]
async fn an_upload_passes_unread_whatever_its_size() {
    let (harness, key) = Harness::ready().await;
    let big = vec![b'x'; 3 << 20];
    let call =
        harness.http.post(format!("{}/proxy/openai/v1/uploads/upload_1/parts", harness.url)).bearer_auth(&key.text);
    let answer = call.header("content-type", "multipart/form-data; boundary=x").body(big.clone()).send().await.unwrap();
    assert_eq!(answer.status(), 404, "the simulator has no such endpoint, but it got it");
    assert_eq!(harness.simulator.last_body(SECRET, "/v1/uploads/upload_1/parts"), Some(big));
}

#[tokio::test]
async fn uses_are_noted_without_a_write_per_request() {
    let (harness, key) = Harness::ready().await;
    for _ in 0..3 {
        harness.get("/proxy/openai/v1/models", &key).send().await.unwrap();
    }
    until("the use to be written", async || {
        harness.proxy.drain().await;
        let tx = harness.store.tenant_read(harness.tenant).await.unwrap();
        let row = keyway_store::virtual_keys::find(&tx, key.id).await.unwrap().unwrap();
        row.last_used_at.is_some()
    })
    .await;
}
