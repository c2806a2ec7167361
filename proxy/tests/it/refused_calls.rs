//! Calls that Keyway itself refuses: in the request log with their code, if no provider was asked and the virtual key
//! is known.

use keyway_domain::{Limits, MeteredCall, ServedBy};
use serde_json::json;

use super::{
    harness::{Harness, Key, SECRET, chat},
    scripted::{Scripted, behind},
};

const CHAT: &str = "/v1/chat/completions";

fn told(call: &MeteredCall) -> (Option<&str>, Option<u16>, &str, &str) {
    (call.refused_code.as_deref(), call.http_status, call.provider.as_str(), call.path.as_str())
}

async fn status(harness: &Harness, path: &str, key: &Key, body: &serde_json::Value) -> u16 {
    harness.post(path, key, body).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn each_is_a_record_that_says_why_and_that_it_cost_nothing() {
    let (harness, key) = Harness::ready().await;
    let nothing = Limits { requests_per_minute: Some(0), ..Limits::default() };
    let limited = harness.virtual_key_within(nothing, None).await;
    for (path, key, body, code, http_status, provider, model) in [
        (CHAT, &limited, chat(false), "rate_limited", 429, "openai", Some("gpt-4o-mini")),
        (CHAT, &key, json!({ "messages": [] }), "missing_model", 400, "", None),
        ("/proxy/cohere/v2/chat", &key, json!({ "model": "m" }), "integration_not_found", 404, "", None),
        ("/proxy/nobody/v1/x", &key, json!({}), "unknown_provider", 404, "", None),
    ] {
        assert_eq!(status(&harness, path, key, &body).await, http_status, "{path}");
        let call = harness.records(1).await.remove(0);
        assert_eq!(told(&call), (Some(code), Some(http_status), provider, path), "{path}");
        assert_eq!(
            (call.model.as_deref(), call.virtual_key_id, call.cost_nano_usd),
            (model, key.id, Some(0)),
            "{path}"
        );
        assert_eq!(
            (call.attempts, call.complete, call.served_by == ServedBy::NoIntegration),
            (0, true, provider.is_empty())
        );
    }
    assert_eq!(harness.simulator.calls(SECRET, CHAT), 0, "nobody was asked");
}

#[tokio::test]
async fn what_a_provider_was_asked_is_no_refused_call() {
    let redirect = "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n";
    let (_provider, harness, key) = behind(Scripted::says(redirect).await).await;
    assert_eq!(status(&harness, CHAT, &key, &chat(false)).await, 502);
    let call = harness.records(1).await.remove(0);
    assert_eq!((call.refused_code.as_deref(), call.attempts), (None, 1));
    assert_ne!(call.served_by, ServedBy::NoIntegration);
}

#[tokio::test]
async fn a_stranger_leaves_no_record() {
    let (harness, key) = Harness::ready().await;
    harness.revoke(&key).await;
    let stranger = Key { id: key.id, text: "kw_live_nobody".to_owned() };
    for key in [&stranger, &key] {
        assert_eq!(status(&harness, CHAT, key, &chat(false)).await, 401);
    }
    assert_eq!(harness.take_records().await, []);
}

#[tokio::test]
async fn a_flood_of_them_is_kept_in_part_and_refused_all_the_same() {
    let (harness, key) = Harness::ready().await;
    let calls = (0..300).map(|_| harness.post(CHAT, &key, &json!({ "messages": [] })).send());
    let answers = futures::future::join_all(calls).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap().status() == 400));
    let kept = harness.take_records().await.len();
    assert!((50..300).contains(&kept), "{kept}");
}
