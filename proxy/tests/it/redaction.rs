//! Answers that repeat the provider's key: in headers, errors and the words for a status always without it, in good
//! answers where the integration asks for that.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use keyway_domain::{Invalidation, Timestamp};
use keyway_store::integrations::{self, Change};
use serde_json::json;

use super::{
    harness::{Harness, Key, SECRET, chat},
    scripted::{Reply, Scripted, behind, raw, trusting},
};

/// A proxy whose `openai` is this provider and has `redact_answers`, with a virtual key for it.
pub(super) async fn redacting(provider: Scripted) -> (Scripted, Harness, Key) {
    let harness = trusting(&provider).await;
    let id = harness.integration_at("openai", SECRET, &provider.base_url).await;
    let change = Change { config: Some(json!({ "redact_answers": true })), ..Change::default() };
    let tx = harness.store.tenant(harness.tenant).await.unwrap();
    integrations::update(&tx, id, change, None, Timestamp::now()).await.unwrap();
    tx.commit().await.unwrap();
    harness.proxy.forget(harness.tenant, Invalidation::Integrations);
    let key = harness.virtual_key(None).await;
    (provider, harness, key)
}

fn stars(text: &str) -> String {
    text.replace(SECRET, &"*".repeat(SECRET.len()))
}

/// Good answers that repeat the key: whole, in the middle of a stream, and in an error event, in pieces of this length.
fn answers(cut: usize) -> Vec<(Reply, String)> {
    let document = format!(r#"{{"choices":[{{"message":{{"content":"{SECRET}{SECRET}"}}}}],"key":"{SECRET}"}}"#);
    let events = format!(
        "data: {{\"choices\":[{{\"delta\":{{\"content\":\"{SECRET}\"}}}}]}}\n\n\
         data: {{\"error\":{{\"message\":\"{SECRET} is over its quota\"}}}}\n\n"
    );
    let pieces = |text: &str| text.as_bytes().chunks(cut).map(<[u8]>::to_vec).collect::<Vec<_>>();
    vec![
        (Reply::json(200, &document), document.clone()),
        (Reply::chunked("content-type: application/json\r\n", pieces(&document)), document),
        (Reply::events(pieces(&events)), events),
    ]
}

#[tokio::test]
async fn a_good_answer_passes_as_it_is_unless_the_integration_says_otherwise() {
    for (at, cut) in [5, 4096].into_iter().enumerate() {
        for (reply, text) in answers(cut) {
            let provider = || {
                Scripted::by({
                    let reply = reply.clone();
                    move |_| reply.clone()
                })
            };
            let call = async |(_provider, harness, key): &(Scripted, Harness, Key)| {
                let answer = harness.post("/proxy/openai/v1/chat/completions", key, &chat(true)).send().await.unwrap();
                assert_eq!(answer.status(), 200);
                answer.text().await.unwrap()
            };
            let redacted = call(&redacting(provider().await).await).await;
            assert_eq!(redacted, stars(&text), "cut {cut}");
            if at == 0 {
                assert_eq!(call(&behind(provider().await).await).await, text);
            }
        }
    }
}

#[tokio::test]
async fn what_would_be_compressed_is_asked_for_as_it_is() {
    let text = format!("a file with {SECRET} in it");
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(text.as_bytes()).unwrap();
    let (plain, gzip) = (text.clone(), gzip.finish().unwrap());
    let provider = Scripted::by(move |request| {
        let insists = request.contains("/file-2/");
        if insists || !request.contains("accept-encoding: identity") {
            Reply::of(200, "content-encoding: gzip\r\n", &gzip)
        } else {
            Reply::of(200, "", &plain)
        }
    });
    let (_provider, harness, key) = redacting(provider.await).await;
    let get = async |file: &str| {
        let call = harness.get(&format!("/proxy/openai/v1/files/{file}/content"), &key);
        call.header("accept-encoding", "gzip").send().await.unwrap()
    };
    let answer = get("file-1").await;
    assert_eq!((answer.content_length(), answer.text().await.unwrap()), (Some(text.len() as u64), stars(&text)));
    let refused = get("file-2").await;
    let expected = (502, &"upstream_compressed".parse().unwrap());
    assert_eq!((refused.status().as_u16(), &refused.headers()["x-keyway-error"]), expected);
    assert!(!refused.text().await.unwrap().contains("canary"));
}

#[tokio::test]
async fn a_providers_own_words_for_a_status_are_not_passed_on() {
    for status in [200, 400] {
        let said = format!("HTTP/1.1 {status} {SECRET}\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{{}}");
        let (_provider, harness, key) = behind(Scripted::says(said).await).await;
        let request = format!(
            "GET /proxy/openai/v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n",
            key.text
        );
        let answer = raw(&harness.url, &request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && !answer.contains("canary"), "{answer}");
    }
}
