//! `stream_options.include_usage`: sent to providers that accept it and to no others, and hidden from a caller that has
//! not asked for it.

use keyway_domain::{Invalidation, Timestamp};
use keyway_store::providers;
use serde_json::{Value, json};

use super::{
    harness::{Harness, Key},
    scripted::{Reply, Scripted, trusting},
};

const CHAT: &str = "/v1/chat/completions";
const TEXT: &str =
    "data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\n";
const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":13}}\n\n";
const DONE: &str = "data: [DONE]\n\n";
/// Error of Mistral and of hosts that validate their input.
const FORBIDDEN: &str = r#"{"detail":[{"type":"extra_forbidden","loc":["body","stream_options","include_usage"]}]}"#;

/// Starts a provider that states the figures of a stream on request, or refuses that with the given answer.
async fn provider(refusal: Option<(u16, &'static str)>) -> Scripted {
    Scripted::by(move |request| {
        let asks = request.contains("\"include_usage\":true") || request.contains("\"include_usage\": true");
        match (asks, refusal) {
            (true, Some((status, body))) => Reply::json(status, body),
            (true, None) => Reply::events([TEXT, USAGE, DONE]),
            (false, _) => Reply::events([TEXT, DONE]),
        }
    })
    .await
}

/// Returns the option in the provider's requests, call by call.
fn sent(provider: &mut Scripted) -> Vec<Value> {
    let requests = std::iter::from_fn(|| provider.requests.try_recv().ok());
    let bodies = requests.map(|it| serde_json::from_str::<Value>(it.split_once("\r\n\r\n").unwrap().1).unwrap());
    bodies.map(|body| body.get("stream_options").cloned().unwrap_or_default()).collect()
}

fn body(options: Option<Value>) -> Value {
    let mut body = json!({ "model": "m", "messages": [], "stream": true });
    if let Some(options) = options {
        body["stream_options"] = options;
    }
    body
}

/// Returns status, body and the attempts of a call.
async fn ask(harness: &Harness, key: &Key, path: &str, body: &Value) -> (u16, String, Option<String>) {
    let answer = harness.post(path, key, body).send().await.unwrap();
    let attempts = answer.headers().get("x-keyway-attempts").map(|value| value.to_str().unwrap().to_owned());
    (answer.status().as_u16(), answer.text().await.unwrap(), attempts)
}

#[tokio::test]
async fn it_is_asked_for_where_the_catalog_says_that_it_is_taken() {
    let mut provider = provider(None).await;
    let harness = trusting(&provider).await;
    let key = harness.virtual_key(None).await;
    for name in ["openai", "groq", "openrouter", "deepseek", "xai", "gemini", "cohere", "mistral", "azure_openai"] {
        harness.integration_at(name, "a-key", &provider.base_url).await;
    }
    let asked = json!({ "include_usage": true });
    let azure = "/proxy/azure_openai/openai/deployments/x/chat/completions?api-version=";
    for (path, takes_it) in [
        ("/proxy/openai/v1/chat/completions", true),
        ("/proxy/openai/v1/completions", true),
        ("/proxy/groq/openai/v1/chat/completions", true),
        ("/proxy/openrouter/api/v1/chat/completions", true),
        ("/proxy/deepseek/chat/completions", true),
        ("/proxy/xai/v1/chat/completions", true),
        ("/proxy/gemini/v1beta/openai/chat/completions", true),
        ("/proxy/cohere/compatibility/v1/chat/completions", true),
        ("/proxy/mistral/v1/chat/completions", false),
        ("/proxy/mistral/v1/fim/completions", false),
        ("/proxy/mistral/v1/agents/completions", false),
        (&format!("{azure}2024-02-01"), false),
        (&format!("{azure}2024-08-01-preview"), false),
        (&format!("{azure}2024-09-01-preview"), true),
        (&format!("{azure}2024-10-21"), true),
        (&format!("{azure}preview"), true),
        ("/proxy/azure_openai/openai/v1/chat/completions", true),
        ("/proxy/openai/v1/responses", false),
        ("/proxy/openai/v1/embeddings", false),
    ] {
        let (status, text, attempts) = ask(&harness, &key, path, &body(None)).await;
        assert_eq!((status, text.as_str(), attempts), (200, [TEXT, DONE].concat().as_str(), None), "{path}");
        let expected = if takes_it { asked.clone() } else { Value::Null };
        assert_eq!(sent(&mut provider), [expected], "{path}");
        let output = harness.records(1).await.remove(0).tokens.output;
        assert_eq!(output, takes_it.then_some(13), "{path}");
    }
    let whole = json!({ "model": "m", "messages": [], "stream": false });
    ask(&harness, &key, "/proxy/openai/v1/chat/completions", &whole).await;
    assert_eq!(sent(&mut provider), [Value::Null], "what is no stream states its figures anyway");
}

#[tokio::test]
async fn what_the_caller_says_of_it_is_sent_as_it_is() {
    let mut provider = provider(None).await;
    let harness = trusting(&provider).await;
    let key = harness.virtual_key(None).await;
    for name in ["openai", "mistral"] {
        harness.integration_at(name, "a-key", &provider.base_url).await;
    }
    let (openai, mistral) = ("/proxy/openai/v1/chat/completions", "/proxy/mistral/v1/chat/completions");
    let (yes, shown, hidden) = (json!(true), [TEXT, USAGE, DONE].concat(), [TEXT, DONE].concat());
    for (path, options, at_provider, text) in [
        (openai, json!({ "include_usage": true, "x": 1 }), json!({ "include_usage": yes, "x": 1 }), &shown),
        (openai, json!({ "include_usage": false }), json!({ "include_usage": yes }), &hidden),
        (
            openai,
            json!({ "include_obfuscation": false }),
            json!({ "include_usage": yes, "include_obfuscation": false }),
            &hidden,
        ),
        (openai, Value::Null, json!({ "include_usage": yes }), &hidden),
        (mistral, json!({ "include_usage": true }), json!({ "include_usage": yes }), &shown),
        (mistral, json!({ "include_usage": false }), json!({ "include_usage": false }), &hidden),
    ] {
        let (status, said, _) = ask(&harness, &key, path, &body(Some(options.clone()))).await;
        assert_eq!((status, &said), (200, text), "{path}: {options}");
        assert_eq!(sent(&mut provider), [at_provider], "{path}: {options}");
    }
}

/// Builds a project whose only provider is a custom one at this host.
async fn custom(provider: &Scripted) -> (Harness, Key) {
    let harness = trusting(provider).await;
    let tx = harness.store.tenant(harness.tenant).await.unwrap();
    providers::insert(&tx, "acme", "Acme", &provider.base_url, "bearer", Timestamp::now()).await.unwrap();
    tx.commit().await.unwrap();
    harness.integration_of("acme", "a-key", None).await;
    harness.proxy.forget(harness.tenant, Invalidation::Integrations);
    let key = harness.virtual_key(None).await;
    (harness, key)
}

#[tokio::test]
async fn a_host_that_refuses_it_is_asked_once_more_without_it_and_never_again() {
    for refusal in [
        (422, FORBIDDEN),
        (400, r#"{"error":{"message":"Unknown parameter: 'stream_options'","type":"invalid_request_error"}}"#),
        (400, "stream_options is only allowed when... include_usage"),
    ] {
        let mut provider = provider(Some(refusal)).await;
        let (harness, key) = custom(&provider).await;
        for path in [CHAT, CHAT, "/proxy/acme/v1/chat/completions"] {
            let (status, text, _) = ask(&harness, &key, path, &body(None)).await;
            assert_eq!((status, text), (200, [TEXT, DONE].concat()), "{refusal:?}");
            let record = harness.records(1).await.remove(0);
            assert_eq!((record.complete, record.doubted.len(), record.tokens.output), (true, 0, None));
        }
        let asked = json!({ "include_usage": true });
        assert_eq!(sent(&mut provider), [asked.clone(), Value::Null, Value::Null, Value::Null], "{refusal:?}");
        // A caller's own wish is its own affair.
        let (status, text, attempts) = ask(&harness, &key, CHAT, &body(Some(asked.clone()))).await;
        assert_eq!((status, text.as_str(), attempts), (refusal.0, refusal.1, None));
        assert_eq!(sent(&mut provider), [asked]);
    }
}

#[tokio::test]
async fn another_error_is_the_callers_and_is_not_repeated() {
    for refusal in [
        (400, r#"{"error":{"message":"max_tokens is too large"}}"#),
        (422, r#"{"detail":[{"loc":["body","messages"]}]}"#),
        (404, "stream_options"),
        (500, FORBIDDEN),
    ] {
        let mut provider = provider(Some(refusal)).await;
        let (harness, key) = custom(&provider).await;
        for _ in 0..2 {
            let (status, text, attempts) = ask(&harness, &key, CHAT, &body(None)).await;
            assert_eq!((status, text.as_str(), attempts), (refusal.0, refusal.1, None));
            assert_eq!(sent(&mut provider), [json!({ "include_usage": true })], "{refusal:?}");
        }
    }
}
