//! Providers with a shape of their own, from their recorded answers: passed untouched, called with their own
//! header, metered by their own figures.

use bytes::Bytes;
use keyway_domain::MeteredCall;
use keyway_testkit::replay::{Fixture, Received, Replay};
use keyway_vault::{Keyring, Vault};
use serde_json::{Value, json};

use super::harness::Harness;

const SECRET: &str = "AIzaCanary7h1sMu5tN3v3rL34k0123456789xy";
const GEMINI: (&str, &str) = ("gemini", "/v1beta");
const MODEL: &str = "gemini-2.5-flash";

/// Returns the record of a call of `path` that is answered with a case, and the provider's request. Checks that the
/// answer passes unchanged.
async fn called(provider: (&str, &str), case: &str, path: &str, model: &str) -> (MeteredCall, Received) {
    let body = json!({ "model": model, "contents": [{ "parts": [{ "text": "hi" }] }] });
    let (record, received, passed) = answered(provider, case, path, &body).await;
    assert_eq!(passed, Fixture::load(case).unwrap().body, "{path}");
    (record, received)
}

async fn answered(
    (provider, base_path): (&str, &str),
    case: &str,
    path: &str,
    body: &Value,
) -> (MeteredCall, Received, Bytes) {
    let case = Fixture::load(case).unwrap();
    let server = Replay::start(vec![case.clone()]).await.unwrap();
    let vault = Vault::open(Keyring::generate().unwrap());
    let harness = Harness::start_with(vault, std::slice::from_ref(&server.host)).await;
    harness.integration_at(provider, SECRET, &format!("{}{base_path}", server.root)).await;
    let key = harness.virtual_key(None).await;
    let answer = harness.post(path, &key, body).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), case.status, "{path}");
    let passed = answer.bytes().await.unwrap();
    (harness.records(1).await.remove(0), server.received().remove(0), passed)
}

#[tokio::test]
async fn gemini_is_called_and_metered_in_both_its_shapes() {
    let own = Some(SECRET.to_owned());
    let bearer = Some(format!("Bearer {SECRET}"));
    for (case, path, asked, figures) in [
        (
            "gemini/chat_ok",
            "/proxy/gemini/v1beta/models/gemini-2.5-flash:generateContent",
            ("POST /v1beta/models/gemini-2.5-flash:generateContent", (&own, &None)),
            [Some(1208), Some(1024), Some(42), Some(30)],
        ),
        (
            "gemini/chat_stream",
            "/proxy/gemini/v1/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
            ("POST /v1/models/gemini-2.5-flash:streamGenerateContent?alt=sse", (&own, &None)),
            [Some(1208), Some(1024), Some(42), Some(30)],
        ),
        (
            "gemini/chat_stream_json_array",
            "/proxy/gemini/v1beta/models/gemini-2.5-flash:streamGenerateContent",
            ("POST /v1beta/models/gemini-2.5-flash:streamGenerateContent", (&own, &None)),
            [Some(4), None, Some(2), None],
        ),
        // Counted by nobody, but the path says which model it was.
        (
            "gemini/embeddings_ok",
            "/proxy/gemini/v1beta/models/gemini-2.5-flash:embedContent",
            ("POST /v1beta/models/gemini-2.5-flash:embedContent", (&own, &None)),
            [None; 4],
        ),
        (
            "gemini/openai_compat_chat_ok",
            "/v1/chat/completions",
            ("POST /v1beta/openai/chat/completions", (&None, &bearer)),
            [Some(4), None, Some(32), None],
        ),
    ] {
        let (record, received) = called(GEMINI, case, path, MODEL).await;
        let sent = |name: &str| received.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!((received.line.as_str(), (&sent("x-goog-api-key"), &sent("authorization"))), asked, "{case}");
        let tokens = record.tokens;
        assert_eq!([tokens.input, tokens.cached_input, tokens.output, tokens.reasoning], figures, "{case}");
        assert_eq!(record.model.as_deref(), Some(MODEL), "{case}");
        assert!(record.complete, "{case}");
    }
}

#[tokio::test]
async fn the_model_of_a_call_that_gemini_refused_is_kept_if_it_looks_like_one() {
    for (asked, kept) in [("gemini-9-flash", Some("gemini-9-flash")), ("say,%20what%20is%20it", None)] {
        let path = format!("/proxy/gemini/v1beta/models/{asked}:generateContent");
        let (record, _) = called(GEMINI, "gemini/location_unsupported_400", &path, MODEL).await;
        assert_eq!((record.model.as_deref(), record.http_status), (kept, Some(400)));
    }
}

#[tokio::test]
async fn cohere_is_metered_by_its_billed_units_and_the_model_of_the_request() {
    for (case, path, asked, figures) in [
        ("cohere/chat_ok", "/proxy/cohere/v2/chat", "POST /v2/chat", (Some(5), Some(9))),
        ("cohere/chat_stream", "/proxy/cohere/v2/chat", "POST /v2/chat", (Some(5), Some(9))),
        ("cohere/embeddings_ok", "/proxy/cohere/v2/embed", "POST /v2/embed", (Some(2), Some(0))),
        (
            "cohere/compat_chat_ok",
            "/v1/chat/completions",
            "POST /compatibility/v1/chat/completions",
            (Some(5), Some(9)),
        ),
    ] {
        let (record, received) = called(("cohere", ""), case, path, "command-a-03-2025").await;
        assert_eq!(received.line, asked, "{case}");
        assert_eq!(received.headers["authorization"], format!("Bearer {SECRET}"), "{case}");
        assert_eq!((record.tokens.input, record.tokens.output), figures, "{case}");
        assert_eq!(record.model.as_deref(), Some("command-a-03-2025"), "{case}");
    }
}

#[tokio::test]
async fn azures_first_event_is_no_usage_chunk_though_it_has_no_choices() {
    let path = "/proxy/azure_openai/openai/deployments/chat-prod/chat/completions?api-version=2024-10-21";
    let azure = ("azure_openai", "/openai/v1");
    let case = Fixture::load("azure_openai/chat_stream").unwrap();
    let whole = String::from_utf8(case.body).unwrap();
    let (before, usage_and_done) = whole.rsplit_once("data: {\"choices\":[],").unwrap();
    let (_, done) = usage_and_done.split_once("\n\n").unwrap();
    let unasked = format!("{before}{done}").replace(",\"usage\":null", "");
    assert!(unasked.starts_with("data: {\"choices\":[],") && unasked.ends_with("data: [DONE]\n\n"), "{unasked}");
    let ask = json!({ "stream": true, "messages": [{ "role": "user", "content": "hi" }] });
    let mut ask_usage = ask.clone();
    ask_usage["stream_options"] = json!({ "include_usage": true });
    for (body, expected) in [(ask, unasked), (ask_usage, whole)] {
        let (record, received, passed) = answered(azure, "azure_openai/chat_stream", path, &body).await;
        assert_eq!(passed, expected);
        assert_eq!(received.line, format!("POST {}", path.trim_start_matches("/proxy/azure_openai")));
        assert_eq!(received.headers["api-key"], SECRET);
        assert!(!received.headers.contains_key("authorization"));
        assert_eq!((record.tokens.input, record.tokens.output), (Some(8), Some(4)));
        assert_eq!(record.model.as_deref(), Some("gpt-5.4-mini-2026-03-17"));
    }
}
