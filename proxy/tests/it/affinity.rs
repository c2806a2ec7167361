//! The calls of a session go to one key of several, wherever the session is named, for as long as that key serves.

use std::collections::HashSet;

use keyway_domain::IntegrationId;
use serde_json::{Value, json};

use super::{
    harness::{Harness, Key},
    scripted::{Reply, Scripted, trusting},
};

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const MESSAGES: &str = "/v1/messages";
const GEMINI: &str = "/proxy/gemini/v1beta/models/gemini-2.5-flash:generateContent";
/// Part of a key that is rate-limited for sessions with this name.
const LIMITED: &str = "limited";

/// Builds a project with three equal keys of each provider.
async fn three() -> (Harness, Key, Vec<IntegrationId>) {
    let provider = Scripted::by(|request| {
        let is_limited = request.contains(LIMITED) && request.contains("canary-0");
        if is_limited { Reply::json(429, "{}") } else { Reply::json(200, r#"{"id":"x"}"#) }
    })
    .await;
    let harness = trusting(&provider).await;
    let mut ids = Vec::new();
    for name in ["openai", "anthropic", "gemini"] {
        for at in 0..3 {
            ids.push(harness.integration_at(name, &format!("canary-{at}"), &provider.base_url).await);
        }
    }
    let key = harness.virtual_key(None).await;
    (harness, key, ids)
}

/// Returns the integration that served a call, and the number of integrations asked.
async fn served(
    (harness, key): (&Harness, &Key),
    path: &str,
    header: Option<(&str, &str)>,
    mut body: Value,
) -> (String, bool) {
    body["model"] = json!(if path == MESSAGES { "claude-opus-4-6" } else { "gpt-4o-mini" });
    let mut request = harness.post(path, key, &body);
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    let id = answer.headers()["x-keyway-integration"].to_str().unwrap().to_owned();
    (id, answer.headers().contains_key("x-keyway-attempts"))
}

#[tokio::test]
async fn a_session_keeps_to_one_key_and_sessions_are_spread() {
    let (harness, key, _ids) = three().await;
    let at = (&harness, &key);
    for (path, header, field) in [
        (CHAT, Some("x-keyway-affinity"), json!({})),
        (MESSAGES, Some("x-claude-code-session-id"), json!({ "metadata": { "user_id": "the-same-user" } })),
        ("/proxy/anthropic/v1/messages", Some("x-claude-code-session-id"), json!({})),
        (RESPONSES, Some("session_id"), json!({})),
        ("/proxy/openai/v1/responses", Some("session-id"), json!({})),
        (CHAT, Some("x-session-id"), json!({ "user": "the-same-user" })),
        (RESPONSES, Some("conversation_id"), json!({})),
        (GEMINI, Some("x-session-id"), json!({ "contents": [] })),
        (RESPONSES, None, json!({ "prompt_cache_key": "S" })),
        (CHAT, None, json!({ "prompt_cache_key": "S", "user": "the-same-user" })),
        (RESPONSES, None, json!({ "conversation": { "id": "S" } })),
        (CHAT, None, json!({ "session_id": "S" })),
        (MESSAGES, None, json!({ "metadata": { "user_id": "user_1_session_S" } })),
        (CHAT, None, json!({ "metadata": { "session_id": "S", "user_id": "the-same-user" } })),
        (CHAT, None, json!({ "safety_identifier": "S" })),
        (CHAT, None, json!({ "user": "S" })),
        (CHAT, None, json!({ "user": "S", "stream": true })),
    ] {
        let mut used = HashSet::new();
        for session in 0..24 {
            let name = format!("session-{session}");
            let body: Value = serde_json::from_str(&field.to_string().replace("S\"", &format!("{name}\""))).unwrap();
            let header = header.map(|header| (header, name.as_str()));
            let (first, _) = served(at, path, header, body.clone()).await;
            for _ in 0..2 {
                assert_eq!(served(at, path, header, body.clone()).await, (first.clone(), false), "{path} {field}");
            }
            used.insert(first);
        }
        assert!(used.len() > 1, "{path} {header:?} {field}: all sessions have the same key");
    }
}

#[tokio::test]
async fn calls_without_a_session_and_those_that_want_none_are_shared_out() {
    let (harness, key, _ids) = three().await;
    for header in [None, Some(("x-keyway-affinity", "off")), Some(("x-keyway-affinity", " OFF "))] {
        let mut used = HashSet::new();
        for _ in 0..40 {
            let body = if header.is_none() { json!({}) } else { json!({ "user": "one" }) };
            used.insert(served((&harness, &key), CHAT, header, body).await.0);
        }
        assert!(used.len() > 1, "{header:?}");
    }
}

#[tokio::test]
async fn a_session_moves_together_when_its_key_rests_and_no_other_does() {
    let (harness, key, ids) = three().await;
    let at = (&harness, &key);
    let first = ids[0].to_string();
    // One of a session whose key will be limited, and one of each other key.
    let mut homes = Vec::new();
    for session in 0..60 {
        let name = format!("session-{session}");
        homes.push((served(at, CHAT, None, json!({ "user": name })).await.0, name));
    }
    let (_, moved) = homes.iter().find(|(home, _)| *home == first).unwrap().clone();
    let trigger = json!({ "user": moved, "metadata": { "x": LIMITED } });
    let (second, was_second) = served(at, CHAT, None, trigger).await;
    assert!(was_second && second != first, "the next serves the call");
    for _ in 0..5 {
        assert_eq!(served(at, CHAT, None, json!({ "user": moved })).await, (second.clone(), false), "while it rests");
    }
    for (home, name) in homes.iter().filter(|(home, _)| *home != first) {
        assert_eq!(served(at, CHAT, None, json!({ "user": name })).await, (home.clone(), false), "others stay");
    }
}
