//! Settings beside a key that apply to its calls: limits of its provider, and account headers.

use keyway_domain::{Invalidation, Limits};
use keyway_store::{provider_limits, raw};
use serde_json::json;

use super::{
    harness::{Harness, chat},
    scripted::{Scripted, behind},
};

const CHAT: &str = "/v1/chat/completions";
const DONE: &str = r#"{"id":"c","object":"chat.completion","model":"gpt-4o-mini","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;

async fn limit(harness: &Harness, provider: &str, limits: Limits, expected: i32) {
    let tx = harness.store.tenant(harness.tenant).await.unwrap();
    provider_limits::set(&tx, provider, limits, expected).await.unwrap();
    tx.commit().await.unwrap();
    harness.proxy.forget(harness.tenant, Invalidation::Integrations);
}

#[tokio::test]
async fn a_provider_serves_no_more_than_its_limit_whichever_key_serves() {
    let (harness, key) = Harness::ready().await;
    harness.integration("openai", "sk-sim-good-2").await;
    let other = harness.virtual_key(None).await;
    let month = |nano_usd| Limits { monthly_budget_nano_usd: Some(nano_usd), ..Limits::default() };
    // What one call uses is 5,250 at most: the third leaves nothing that would do for a fourth.
    let mut body = chat(false);
    body["max_tokens"] = json!(8);
    limit(&harness, "openai", month(3 * 5250), 0).await;
    let mut statuses = Vec::new();
    for key in [&key, &other, &key, &other] {
        let response = harness.post(CHAT, key, &body).send().await.unwrap();
        statuses.push(response.status().as_u16());
        if response.status() == 402 {
            assert_eq!(response.headers()["x-keyway-limit-scope"], "provider");
        }
        response.bytes().await.unwrap();
    }
    assert_eq!(statuses[0], 200, "{statuses:?}");
    assert!(statuses.contains(&402), "{statuses:?}");
    assert_eq!(
        harness.records(4).await.iter().filter(|call| call.refused_code.is_some()).count(),
        statuses.iter().filter(|it| **it != 200).count()
    );
    limit(&harness, "openai", Limits::default(), 1).await;
    assert_eq!(harness.post(CHAT, &key, &body).send().await.unwrap().status(), 200, "taken away");
    limit(&harness, "mistral", Limits { requests_per_minute: Some(0), ..Limits::default() }, 0).await;
    assert_eq!(harness.post(CHAT, &key, &body).send().await.unwrap().status(), 200, "another provider's");
}

#[tokio::test]
async fn the_account_of_a_key_is_named_unless_the_caller_names_one() {
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{DONE}",
        DONE.len()
    );
    let (mut provider, harness, key) = behind(Scripted::says(answer).await).await;
    let tx = harness.store.system().await.unwrap();
    let config = r#"UPDATE integrations SET config = '{"organization":"org-own","project":"proj_own"}'"#;
    assert_eq!(raw::execute(&tx, config).await.unwrap(), 1);
    tx.commit().await.unwrap();
    for (sent, organization) in [(None, "org-own"), (Some("org-callers"), "org-callers")] {
        let mut request = harness.post(CHAT, &key, &chat(false));
        if let Some(sent) = sent {
            request = request.header("openai-organization", sent);
        }
        assert_eq!(request.send().await.unwrap().status(), 200);
        let head = provider.requests.recv().await.unwrap().to_lowercase();
        assert!(head.contains(&format!("openai-organization: {organization}\r\n")), "{head}");
        assert_eq!(head.matches("openai-organization:").count(), 1, "{head}");
        assert!(head.contains("openai-project: proj_own\r\n"), "{head}");
    }
}
