//! Requests that are built to be read in two ways, or to take all there is: a provider sees one request or
//! none, and the process stays small.

use bytes::Bytes;
use futures::stream;
use http::StatusCode;
use keyway_domain::Timestamp;
use keyway_store::{projects, tenants};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{
    harness::{Harness, Key, PATIENCE, SECRET, chat, until},
    hostile::ANSWER,
    scripted::{Scripted, behind, raw},
};

const BODY_BYTES: usize = 100 << 20;

/// A body with another request in it, for whoever takes its length from the other header.
const HIDDEN: &str = "0\r\n\r\nGET /proxy/openai/v1/smuggled HTTP/1.1\r\nhost: keyway\r\n\r\n";

#[tokio::test]
async fn no_framing_makes_two_requests_of_one() {
    let length = HIDDEN.len();
    for framing in [
        format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n"),
        format!("transfer-encoding: chunked\r\ncontent-length: {length}\r\n"),
        format!("content-length: {length}\r\ntransfer-encoding: xchunked\r\n"),
        format!("content-length: {length}\r\ntransfer-encoding: chunked, identity\r\n"),
        format!("content-length: {length}\r\ntransfer-encoding : chunked\r\n"),
        format!("content-length: {length}\r\ntransfer-encoding:\x0bchunked\r\n"),
        format!("content-length: {length}\r\nx: y\r\n transfer-encoding: chunked\r\n"),
        format!("content-length: {length}\r\ntransfer-encoding: identity\r\ntransfer-encoding: chunked\r\n"),
        format!("content-length: {length}\r\ncontent-length: 5\r\n"),
        format!("content-length: 5, {length}\r\n"),
        format!("content-length: +{length}\r\n"),
        format!("content-length: 0x{length:x}\r\n"),
        format!("content-length: {length}\ntransfer-encoding: chunked\n"),
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n".to_owned(),
    ] {
        let (mut provider, harness, key) = behind(Scripted::says(ANSWER).await).await;
        let request = format!(
            "POST /proxy/openai/v1/files HTTP/1.1\r\nhost: keyway\r\nauthorization: Bearer {}\r\n\
             content-type: application/octet-stream\r\nconnection: close\r\n{framing}\r\n{HIDDEN}",
            key.text
        );
        let answer = raw(&harness.url, &request).await;
        let status = answer.get(9..12).unwrap_or("none");
        assert!(["200", "400"].contains(&status), "{framing:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{framing:?}: {answer}");
        let mut seen = 0;
        while let Ok(request) = provider.requests.try_recv() {
            seen += 1;
            let head = request.split("\r\n\r\n").next().unwrap_or_default();
            assert!(head.starts_with("POST /v1/files ") && !head.contains("smuggled"), "{framing:?}: {request}");
            assert!(head.matches("content-length").count() + head.matches("transfer-encoding").count() <= 1, "{head}");
        }
        assert!(seen <= 1, "{framing:?}");
        assert_eq!(seen == 1, status == "200", "{framing:?}");
    }
}

#[tokio::test]
async fn a_header_cannot_bring_another_one() {
    let (mut provider, harness, key) = behind(Scripted::says(ANSWER).await).await;
    for value in ["a\rauthorization: Bearer sk-mine", "a\0b", "a\nx-injected: 1"] {
        let request = format!(
            "GET /proxy/openai/v1/models HTTP/1.1\r\nhost: keyway\r\nauthorization: Bearer {}\r\nx-trick: {value}\r\n\
             connection: close\r\n\r\n",
            key.text
        );
        let answer = raw(&harness.url, &request).await;
        let seen = provider.requests.try_recv();
        // A bare line feed ends a line (RFC 9112, 2.2): then it is a header of its own like any other.
        if value.contains('\n') && seen.is_ok() {
            continue;
        }
        assert!(answer.starts_with("HTTP/1.1 400 ") && seen.is_err(), "{value:?}: {answer}");
    }
}

#[tokio::test]
async fn a_hundred_megabytes_pass_without_being_kept() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let received = keyway_telemetry::spawn("a provider that counts", async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (mut total, mut buffer) = (0, vec![0; 64 << 10]);
        while total < BODY_BYTES {
            total += stream.read(&mut buffer).await.unwrap();
        }
        stream.write_all(ANSWER.as_bytes()).await.unwrap();
        total
    });
    let vault = keyway_vault::Vault::open(keyway_vault::Keyring::generate().unwrap());
    let harness = Harness::start_with(vault, std::slice::from_ref(&host)).await;
    harness.integration_at("openai", SECRET, &format!("http://{host}/v1")).await;
    let key = harness.virtual_key(None).await;
    let piece = Bytes::from(vec![7; 1 << 20]);
    let before = resident_bytes();
    let pieces = stream::iter((0..BODY_BYTES >> 20).map(move |_| Ok::<_, std::io::Error>(piece.clone())));
    let upload = harness.http.post(format!("{}/proxy/openai/v1/files", harness.url)).bearer_auth(&key.text);
    let upload =
        upload.header("content-type", "multipart/form-data; boundary=x").body(reqwest::Body::wrap_stream(pieces));
    assert_eq!(upload.send().await.unwrap().status(), StatusCode::OK);
    assert!(tokio::time::timeout(PATIENCE, received).await.unwrap().unwrap() >= BODY_BYTES);
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < BODY_BYTES / 4, "{grown} bytes more are resident");
}

#[tokio::test]
async fn a_json_body_beyond_the_limit_is_refused_unread() {
    let (mut provider, harness, key) = behind(Scripted::says(ANSWER).await).await;
    let body = format!("{{\"model\":\"gpt-4o\",\"messages\":\"{}\"}}", "x".repeat(1 << 20));
    let call = harness.http.post(format!("{}/v1/chat/completions", harness.url)).bearer_auth(&key.text);
    let answer = call.header("content-type", "application/json").body(body).send().await.unwrap();
    assert_eq!(answer.headers()["x-keyway-error"], "body_too_large");
    assert!(provider.requests.try_recv().is_err());
}

#[tokio::test]
async fn another_tenants_integration_cannot_be_named() {
    let (harness, key) = Harness::ready().await;
    let tx = harness.store.system().await.unwrap();
    let other = tenants::insert(&tx, "rival", Timestamp::now()).await.unwrap().id;
    tx.commit().await.unwrap();
    let tx = harness.store.tenant(other).await.unwrap();
    let project =
        projects::insert(&tx, "web", keyway_domain::Limits::default(), None, Timestamp::now()).await.unwrap().id;
    tx.commit().await.unwrap();
    let base_url = harness.simulator.base_url.clone();
    let theirs = harness.integration_in((other, project), "openai", "sk-sim-good-theirs", Some(&base_url)).await;
    let call = harness.post("/v1/chat/completions", &key, &chat(false));
    let answer = call.header("x-keyway-integration", theirs.to_string()).send().await.unwrap();
    assert_eq!(answer.headers()["x-keyway-error"], "integration_not_found");
    assert_eq!(harness.simulator.calls("sk-sim-good-theirs", "/v1/chat/completions"), 0);
}

fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// Begins a call whose body declares 60,000 bytes, and sends 50,000 of them.
async fn half_sent(url: &str, key: &Key) -> TcpStream {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: 60000\r\n\r\n",
        key.text
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&[b' '; 50_000]).await.unwrap();
    stream
}

#[tokio::test]
async fn half_sent_bodies_of_one_key_leave_room_for_every_other_and_give_way_to_its_own() {
    let (mut harness, key) = Harness::ready().await;
    // Room for five such bodies; a key may have two of them, a tenant three.
    harness.settings.bodies_bytes = 256 << 10;
    harness.restart().await;
    let beside = harness.virtual_key(None).await;
    let mut body = chat(false);
    body["messages"][0]["content"] = "x".repeat(40_000).into();
    let served = async |key: &Key| {
        let answer = harness.post("/v1/chat/completions", key, &body).send().await.unwrap();
        answer.status().as_u16()
    };
    let dropped = || keyway_telemetry::metrics().bodies_dropped.get();
    let before = dropped();
    let mut half = Vec::new();
    for _ in 0..16 {
        half.push(half_sent(&harness.url, &key).await);
    }
    assert_eq!(served(&beside).await, 200, "another key of the same project");
    // Those that were refused were told so; two are there.
    until("the key to be served when its slowest body has given way", async || served(&key).await == 200).await;
    assert!(dropped() > before);
    assert_eq!(served(&beside).await, 200);
}
