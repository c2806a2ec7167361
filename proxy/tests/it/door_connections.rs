//! Connections of callers: their time limits, and HTTP/2 without TLS.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use keyway_http::ServerLimits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Mutex, oneshot},
};

use super::{
    failover::place,
    front::Front,
    harness::{Harness, Key, PATIENCE, chat, until},
    scripted::{Reply, Scripted, behind, raw},
};

const SHORT: Duration = Duration::from_millis(300);

async fn connect(front: &Front) -> TcpStream {
    TcpStream::connect(front.url.trim_start_matches("http://")).await.unwrap()
}

/// Asks on a connection that stays open, and reads the answer, whose body is `{}`.
async fn exchange(stream: &mut TcpStream, key: &Key) {
    let request =
        format!("GET /proxy/openai/v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n", key.text);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n{}") {
        answer.push(stream.read_u8().await.unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
}

/// Waits until the server has closed a connection.
async fn is_closed(mut stream: TcpStream) {
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
    assert!(read.is_ok(), "the connection stays open");
}

async fn quick() -> (Scripted, Harness, Key) {
    behind(Scripted::by(|_| Reply::json(200, "{}")).await).await
}

#[tokio::test]
async fn a_connection_may_idle_longer_than_a_head_may_take() {
    let (_provider, harness, key) = quick().await;
    let limits = ServerLimits { header_timeout: SHORT, idle_timeout: PATIENCE, ..ServerLimits::default() };
    let front = Front::of(&harness, limits).await;
    let mut idle = connect(&front).await;
    exchange(&mut idle, &key).await;
    // It takes as long as a head may until one that says nothing is closed.
    is_closed(connect(&front).await).await;
    exchange(&mut idle, &key).await;
    // Half a head on a connection that was used is half a head.
    idle.write_all(b"GET /proxy/openai/v1/models HTT").await.unwrap();
    is_closed(idle).await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_its_own_time() {
    let (_provider, harness, key) = quick().await;
    let limits = ServerLimits { header_timeout: PATIENCE, idle_timeout: SHORT, ..ServerLimits::default() };
    let front = Front::of(&harness, limits).await;
    let mut idle = connect(&front).await;
    exchange(&mut idle, &key).await;
    tokio::time::timeout(PATIENCE / 2, is_closed(idle)).await.unwrap();
}

#[tokio::test]
async fn a_caller_that_waits_for_its_answer_is_not_idle() {
    let (next, wait) = oneshot::channel::<()>();
    let wait = Arc::new(Mutex::new(Some(wait)));
    let provider = Scripted::start(move |mut stream| {
        let wait = Arc::clone(&wait);
        async move {
            wait.lock().await.take().unwrap().await.unwrap();
            let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    let (mut provider, harness, key) = behind(provider).await;
    let limits = ServerLimits { header_timeout: SHORT, idle_timeout: SHORT, ..ServerLimits::default() };
    let front = Front::of(&harness, limits).await;
    let mut stream = connect(&front).await;
    let waiting = async {
        provider.requests.recv().await.unwrap();
        // Twice as long as anybody may be silent.
        is_closed(connect(&front).await).await;
        is_closed(connect(&front).await).await;
        next.send(()).unwrap();
    };
    tokio::join!(exchange(&mut stream, &key), waiting);
}

#[tokio::test]
async fn a_provider_that_does_not_begin_in_time_is_a_gateway_timeout() {
    let silent = Scripted::start(|mut stream| async move {
        drop(stream.read_to_end(&mut Vec::new()).await);
    });
    let (mut silent, mut harness, key) = behind(silent.await).await;
    let other = harness.integration("openai", "sk-sim-good-second").await;
    place(&harness, other, 1, 1).await;
    harness.settings.first_byte_timeout = SHORT;
    harness.restart().await;
    for (path, header) in [("/v1/chat/completions", "x-request-id"), ("/proxy/openai/v1/messages", "request-id")] {
        let answer = harness.post(path, &key, &chat(false)).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["x-keyway-error"]),
            (504, &"upstream_timeout".parse().unwrap())
        );
        assert!(answer.headers().contains_key(header), "{path}");
        assert!(silent.requests.recv().await.is_some());
        let record = harness.records(1).await.remove(0);
        assert_eq!((record.attempts, record.http_status, record.complete), (1, None, false), "{path}");
        assert_eq!(record.tokens.output, None, "{path}");
    }
    assert!(harness.simulator.all_calls().is_empty(), "it may have acted on the request: nobody else is asked");
}

#[tokio::test]
async fn calls_share_a_connection_of_http2_without_tls() {
    let (harness, key) = Harness::ready().await;
    let front = Front::of(&harness, ServerLimits { max_connections: 1, ..ServerLimits::default() }).await;
    #[expect(clippy::disallowed_methods, reason = "the guarded client would refuse this machine's addresses")]
    let http = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let call = async |at: usize| {
        let body = chat(at.is_multiple_of(2));
        let request = http.post(format!("{}/v1/chat/completions", front.url)).bearer_auth(&key.text).json(&body);
        let answer = request.send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, http::Version::HTTP_2));
        assert!(!answer.text().await.unwrap().is_empty());
    };
    // The first makes the connection that the others share.
    call(0).await;
    join_all((0..40).map(call)).await;
    assert!(harness.records(41).await.iter().all(|record| record.complete));
    let refused = http.get(format!("{}/v1/models", front.url)).send().await.unwrap();
    assert_eq!((refused.status().as_u16(), refused.version()), (401, http::Version::HTTP_2));
    let page = http.get(format!("{}/api/openapi.json", front.url)).send().await.unwrap();
    assert_eq!((page.status().as_u16(), page.version()), (200, http::Version::HTTP_2));
}

#[tokio::test]
async fn management_has_connections_that_proxied_calls_cannot_take() {
    let silent = Scripted::start(|mut stream| async move {
        drop(stream.read_to_end(&mut Vec::new()).await);
    });
    let (mut silent, harness, key) = behind(silent.await).await;
    let front = Front::of(&harness, ServerLimits { max_connections: 20, ..ServerLimits::default() }).await;
    let asked = |path: &str| {
        format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n", key.text)
    };
    let mut busy = Vec::new();
    for _ in 0..20 {
        let mut stream = connect(&front).await;
        stream.write_all(asked("/proxy/openai/v1/models").as_bytes()).await.unwrap();
        silent.requests.recv().await.unwrap();
        busy.push(stream);
    }
    for (path, status) in [("/proxy/openai/v1/models", 503), ("/api/openapi.json", 200), ("/v1/models", 503)] {
        let answer = raw(&front.url, &asked(path)).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
        assert_eq!(answer.contains("x-keyway-error: connections_full"), status == 503, "{path}");
    }
    assert!(silent.requests.try_recv().is_err());
    busy.pop();
    until("a place is free again", async || raw(&front.url, &asked("/v1/models")).await.contains(" 200 ")).await;
}
