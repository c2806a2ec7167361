//! WebSockets: the handshake is the provider's, bytes pass both ways, and the session is metered once.

use std::{io::ErrorKind, time::Duration};

use keyway_domain::Invalidation;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    harness::{Harness, Key, PATIENCE, SECRET},
    redaction::redacting,
    scripted::{Scripted, behind},
};

const AGREED: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
                      sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nset-cookie: a=b\r\n\r\n";

fn text_frame(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap();
    [&[0x81, 126][..], &length.to_be_bytes(), text.as_bytes()].concat()
}

/// A frame of any length; `first` has its kind, and whether it is the last of its message.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    [&[first, 127][..], &(payload.len() as u64).to_be_bytes(), payload].concat()
}

fn done(input: i64, output: i64) -> Vec<u8> {
    let usage = json!({ "total_tokens": input + output, "input_tokens": input, "output_tokens": output });
    text_frame(&json!({ "type": "response.done", "response": { "usage": usage } }).to_string())
}

async fn open(harness: &Harness, key: &Key, path: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(harness.url.trim_start_matches("http://")).await.unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: keyway\r\nauthorization: Bearer {}\r\nconnection: keep-alive, Upgrade\r\n\
         upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         sec-websocket-protocol: realtime\r\nsec-websocket-extensions: permessage-deflate\r\n\r\n",
        key.text
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    (stream, String::from_utf8(head).unwrap())
}

#[tokio::test]
async fn a_session_passes_both_ways_and_its_answers_add_up() {
    let provider = Scripted::start(|mut stream| async move {
        stream.write_all(AGREED.as_bytes()).await.unwrap();
        let mut said = [0; 9];
        stream.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"\x81\x83\x01\x02\x03\x04hel", "as the caller masked it");
        stream.write_all(&[text_frame("{}"), done(11, 3), done(20, 5), vec![0x88, 0]].concat()).await.unwrap();
    })
    .await;
    let (mut provider, harness, key) = behind(provider).await;
    let (mut stream, head) = open(&harness, &key, "/proxy/openai/v1/realtime?model=gpt-4o-mini").await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let head = head.to_ascii_lowercase();
    for line in
        ["sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=", "upgrade: websocket", "x-keyway-request-id: req_"]
    {
        assert!(head.contains(line), "{head}");
    }
    assert!(!head.contains("set-cookie"), "{head}");
    let asked = provider.requests.recv().await.unwrap().to_ascii_lowercase();
    for line in [
        "get /v1/realtime?model=gpt-4o-mini ",
        "upgrade: websocket",
        "sec-websocket-key: dghlihn",
        "sec-websocket-protocol: realtime",
    ] {
        assert!(asked.contains(line), "{asked}");
    }
    assert!(asked.contains(&SECRET.to_ascii_lowercase()) && !asked.contains("kw_live_"), "{asked}");
    assert!(!asked.contains("permessage-deflate"), "what is compressed cannot be metered");
    stream.write_all(b"\x81\x83\x01\x02\x03\x04hel").await.unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, [text_frame("{}"), done(11, 3), done(20, 5), vec![0x88, 0]].concat());
    let record = harness.records(1).await.remove(0);
    assert_eq!((record.http_status, record.streamed, record.complete), (Some(101), true, true));
    assert_eq!((record.tokens.input, record.tokens.output), (Some(31), Some(8)));
    assert_eq!((record.model.as_deref(), record.path.as_str()), (Some("gpt-4o-mini"), "/v1/realtime"));
}

#[tokio::test]
async fn messages_of_any_length_and_in_any_number_of_frames_pass_and_are_metered() {
    let sound = "UklGRg".repeat(500_000);
    let delta = format!(r#"{{"type":"response.output_audio.delta","delta":"{sound}"}}"#);
    let answer = |usage: &str| {
        let item = format!(r#"{{"type":"message","content":[{{"audio":"{sound}"}}]}}"#);
        format!(r#"{{"type":"response.done","response":{{"output":[{item}],"usage":{usage}}}}}"#)
    };
    let first = answer(r#"{"input_tokens":11,"output_tokens":3,"total_tokens":14}"#);
    let second = answer(r#"{"input_tokens":20,"output_tokens":5,"total_tokens":25}"#);
    let (one, two) = second.split_at(second.len() / 2);
    let said = [
        frame(0x81, delta.as_bytes()),
        frame(0x81, first.as_bytes()),
        frame(0x01, one.as_bytes()),
        vec![0x89, 0],
        frame(0x80, two.as_bytes()),
        vec![0x88, 0],
    ]
    .concat();
    let sent = [&[0x82, 0xff][..], &3_000_000_u64.to_be_bytes(), &[0; 4], &vec![b'x'; 3_000_000]].concat();
    let (expected, length) = (said.clone(), sent.len());
    let provider = Scripted::start(move |mut stream| {
        let said = said.clone();
        async move {
            stream.write_all(AGREED.as_bytes()).await.unwrap();
            let mut heard = vec![0; length];
            stream.read_exact(&mut heard).await.unwrap();
            assert!(heard.ends_with(b"xxx"));
            stream.write_all(&said).await.unwrap();
        }
    })
    .await;
    let (_provider, harness, key) = behind(provider).await;
    let (mut stream, _) = open(&harness, &key, "/v1/realtime?model=gpt-4o-mini").await;
    stream.write_all(&sent).await.unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    assert!(heard == expected, "{} of {} bytes", heard.len(), expected.len());
    let record = harness.records(1).await.remove(0);
    assert_eq!((record.tokens.input, record.tokens.output, record.complete), (Some(31), Some(8), true));
}

#[tokio::test]
async fn a_message_that_repeats_the_key_passes_as_it_is_unless_the_integration_says_otherwise() {
    // The end of the first looks like the beginning of the key, and must not wait for the second.
    let (first, second) = (text_frame(&SECRET[..5]), [text_frame(&format!("{{{SECRET}}}")), vec![0x88, 0]].concat());
    for redacts in [false, true] {
        let (before, after) = (first.clone(), second.clone());
        let provider = Scripted::start(move |mut stream| {
            let (before, after) = (before.clone(), after.clone());
            async move {
                stream.write_all(&[AGREED.as_bytes(), &before].concat()).await.unwrap();
                stream.read_exact(&mut [0; 1]).await.unwrap();
                for piece in after.chunks(9) {
                    stream.write_all(piece).await.unwrap();
                    stream.flush().await.unwrap();
                }
            }
        });
        let provider = provider.await;
        let (_provider, harness, key) = if redacts { redacting(provider).await } else { behind(provider).await };
        let (mut stream, _) = open(&harness, &key, "/v1/realtime?model=gpt-4o-mini").await;
        let mut heard = vec![0; first.len()];
        tokio::time::timeout(PATIENCE, stream.read_exact(&mut heard)).await.unwrap().unwrap();
        assert_eq!(heard, first);
        stream.write_all(b"x").await.unwrap();
        heard.clear();
        stream.read_to_end(&mut heard).await.unwrap();
        let stars = [text_frame(&format!("{{{}}}", "*".repeat(SECRET.len()))), vec![0x88, 0]].concat();
        assert_eq!(heard, if redacts { stars } else { second.clone() });
    }
}

#[tokio::test]
async fn a_session_is_routed_by_the_model_in_its_query() {
    let provider = Scripted::start(|mut stream| async move {
        stream.write_all(&[AGREED.as_bytes(), &done(7, 2), &[0x88, 0]].concat()).await.unwrap();
    })
    .await;
    let (mut provider, harness, key) = behind(provider).await;
    // It speaks the same shape, but its host is another: whoever went there would not be agreed with.
    harness.integration("groq", SECRET).await;
    for query in ["model=gpt-4o-mini&voice=a%20b", "model=openai%2Fgpt-4o-mini&voice=a%20b"] {
        let (mut stream, head) = open(&harness, &key, &format!("/v1/realtime?{query}&key={}", key.text)).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let asked = provider.requests.recv().await.unwrap();
        assert!(asked.starts_with("GET /v1/realtime?model=gpt-4o-mini&voice=a%20b HTTP/1.1\r\n"), "{asked}");
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, [done(7, 2), vec![0x88, 0]].concat());
        let record = harness.records(1).await.remove(0);
        assert_eq!((record.model.as_deref(), record.path.as_str()), (Some("gpt-4o-mini"), "/v1/realtime"));
        assert_eq!((record.provider.as_str(), record.tokens.input), ("openai", Some(7)));
    }
}

#[tokio::test]
async fn a_session_without_a_known_model_is_refused() {
    let (harness, key) = Harness::ready().await;
    harness.integration("groq", SECRET).await;
    for (query, status, code) in [
        ("", 400, "missing_model"),
        ("?intent=transcription", 400, "missing_model"),
        ("?model=gpt-4o-mini&model=other", 400, "missing_model"),
        ("?model=nobody-has-it", 404, "model_not_found"),
        ("?model=nobody%2Fhas-it", 404, "model_not_found"),
    ] {
        let (_stream, head) = open(&harness, &key, &format!("/v1/realtime{query}")).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{query}: {head}");
        assert!(head.contains(&format!("x-keyway-error: {code}")), "{query}: {head}");
    }
    let posted = harness.post("/v1/realtime?model=gpt-4o-mini", &key, &json!({})).send().await.unwrap();
    assert_eq!(posted.status(), 405);
    assert_eq!(harness.simulator.calls(SECRET, "/v1/realtime"), 0);
    let records = harness.records(5).await;
    assert!(records.iter().all(|call| call.refused_code.is_some()), "nobody was asked: {records:?}");
}

#[tokio::test]
async fn a_session_of_a_model_that_is_not_listed_keeps_its_name() {
    let provider = Scripted::start(|mut stream| async move {
        stream.write_all(&[AGREED.as_bytes(), &done(7, 2), &[0x88, 0]].concat()).await.unwrap();
    })
    .await;
    let (_provider, harness, key) = behind(provider).await;
    let model = "gpt-realtime-of-tomorrow";
    assert!(harness.catalog.now().get("openai").unwrap().model(model).is_none(), "the catalog does not list it");
    for base in ["/v1", "/proxy/openai/v1"] {
        let (mut stream, _) = open(&harness, &key, &format!("{base}/realtime?model={model}")).await;
        stream.read_to_end(&mut Vec::new()).await.unwrap();
        let record = harness.records(1).await.remove(0);
        assert_eq!((record.model.as_deref(), record.http_status, record.complete), (Some(model), Some(101), true));
        assert_eq!((record.tokens.input, record.tokens.output), (Some(7), Some(2)));
    }
}

#[tokio::test]
async fn a_session_that_its_caller_leaves_is_whole_unless_an_answer_was_under_way() {
    for (under_way, expected) in [(false, (true, Some(7), Some(2))), (true, (false, Some(7), None))] {
        let begun = if under_way { text_frame(r#"{"type":"response.created","response":{}}"#) } else { Vec::new() };
        let said = [AGREED.as_bytes(), &done(7, 2), &begun].concat();
        let length = said.len() - AGREED.len();
        let provider = Scripted::start(move |mut stream| {
            let said = said.clone();
            async move {
                stream.write_all(&said).await.unwrap();
                // Until the caller is gone, and with it the proxy's side.
                let mut rest = Vec::new();
                let ended = stream.read_to_end(&mut rest).await;
                assert!(ended.is_ok() || ended.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
            }
        })
        .await;
        let (_provider, harness, key) = behind(provider).await;
        let (mut stream, _) = open(&harness, &key, "/proxy/openai/v1/realtime?model=gpt-4o-mini").await;
        stream.read_exact(&mut vec![0; length]).await.unwrap();
        drop(stream);
        let record = harness.records(1).await.remove(0);
        assert_eq!((record.complete, record.tokens.input, record.tokens.output), expected);
    }
}

#[tokio::test]
async fn a_provider_that_does_not_agree_answers_as_always() {
    let refusal = "HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    let (_provider, harness, key) = behind(Scripted::says(refusal).await).await;
    let (_stream, head) = open(&harness, &key, "/proxy/openai/v1/realtime?model=gpt-4o-mini").await;
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
    assert_eq!(harness.records(1).await.remove(0).http_status, Some(403));
}

#[tokio::test]
async fn a_session_ends_when_its_key_is_revoked() {
    let provider = Scripted::start(|mut stream| async move {
        stream.write_all(&[AGREED.as_bytes(), &done(7, 2)].concat()).await.unwrap();
        let mut rest = Vec::new();
        // However the proxy leaves.
        let _ = stream.read_to_end(&mut rest).await;
    })
    .await;
    let (_provider, harness, key) = behind(provider).await;
    let other = harness.virtual_key(None).await;
    let (mut ends, _) = open(&harness, &key, "/proxy/openai/v1/realtime?model=gpt-4o-mini").await;
    let (mut stays, _) = open(&harness, &other, "/proxy/openai/v1/realtime?model=gpt-4o-mini").await;
    harness.revoke(&key).await;
    harness.tell(Invalidation::VirtualKey { id: key.id }).await;
    let mut heard = Vec::new();
    tokio::time::timeout(PATIENCE, ends.read_to_end(&mut heard)).await.unwrap().unwrap();
    assert_eq!(heard, done(7, 2));
    assert_eq!(harness.records(1).await.remove(0).virtual_key_id, key.id);
    stays.write_all(&[0x89, 0x80, 0, 0, 0, 0]).await.unwrap();
    let mut first = vec![0; done(7, 2).len()];
    stays.read_exact(&mut first).await.unwrap();
    let silent = tokio::time::timeout(Duration::from_millis(1500), stays.read_u8()).await;
    assert!(silent.is_err(), "the other key's session goes on: {silent:?}");
}
