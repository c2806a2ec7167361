//! The pool against doubles of providers that speak both versions of HTTP over a pipe.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{server, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use keyway_telemetry::spawn;
use tokio::io::duplex;

use super::*;

/// Size in bytes of a body that exceeds the pipe between both ends.
const LONG_BYTES: usize = 1 << 20;

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.uri().path() == "/long" {
        return Ok(Response::new(Full::from(vec![0; LONG_BYTES])));
    }
    let host = request.headers().get(header::HOST).map(|host| host.as_bytes().to_vec());
    let said = format!("{:?} {} {host:?}", request.version(), request.uri());
    Ok(Response::new(Full::from(said)))
}

async fn http1(closes: bool) -> Sender {
    let (near, far) = duplex(4096);
    let mut http = server::conn::http1::Builder::new();
    http.keep_alive(!closes);
    drop(spawn("double", http.serve_connection(TokioIo::new(far), service_fn(answer))));
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(near)).await.unwrap();
    drop(spawn("connection", connection));
    Sender::Http1(sender)
}

async fn http2() -> Sender {
    let (near, far) = duplex(1 << 16);
    let http = server::conn::http2::Builder::new(TokioExecutor::new());
    drop(spawn("double", http.serve_connection(TokioIo::new(far), service_fn(answer))));
    let io = TokioIo::new(near);
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    drop(spawn("connection", connection));
    Sender::Http2(sender)
}

async fn begin(connection: Connection, path: &'static str) -> (Response<Incoming>, Carrying) {
    let mut request = Request::new(RequestBody::Whole(Full::default(), None));
    *request.uri_mut() = Uri::from_static(path);
    connection.send(request).await.unwrap_or_else(|_| panic!("no answer"))
}

/// Makes a call; returns the answer, and the connection, which is taken until dropped.
async fn call(connection: Connection) -> (String, Carrying) {
    let (answer, carrying) = begin(connection, "/v1/x?y=1").await;
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (String::from_utf8(body.to_vec()).unwrap(), carrying)
}

fn origin() -> Arc<Origin> {
    Arc::new(Origin::parse("https://api.example.com").unwrap())
}

#[tokio::test]
async fn a_connection_carries_the_next_call_when_the_one_before_has_ended() {
    let (pool, origin) = (Pool::default(), origin());
    let first = pool.add(&origin, http1(false).await);
    assert!(pool.take(&origin, false).is_none(), "it carries a call");
    let (said, first) = call(first).await;
    assert_eq!(
        said,
        r#"HTTP/1.1 /v1/x?y=1 Some([97, 112, 105, 46, 101, 120, 97, 109, 112, 108, 101, 46, 99, 111, 109])"#
    );
    drop(first);
    tokio::task::yield_now().await;
    let (_, again) = call(pool.take(&origin, true).expect("it is kept")).await;
    let elsewhere = Arc::new(Origin::parse("https://api.example.org").unwrap());
    drop(again);
    tokio::task::yield_now().await;
    assert!(pool.take(&elsewhere, false).is_none());
}

#[tokio::test]
async fn a_connection_that_was_closed_is_forgotten() {
    let (pool, origin) = (Pool::default(), origin());
    let (_, closed) = call(pool.add(&origin, http1(true).await)).await;
    drop(closed);
    while pool.origins().kept.values().any(|kept| kept.idle.iter().any(|idle| !idle.sender.is_closed())) {
        tokio::task::yield_now().await;
    }
    assert!(pool.take(&origin, false).is_none());
    assert!(pool.origins().kept.values().all(|kept| kept.idle.is_empty()));
}

#[tokio::test]
async fn a_connection_whose_answer_is_being_read_carries_no_other_call() {
    let (pool, origin) = (Pool::default(), origin());
    let (answer, first) = begin(pool.add(&origin, http1(false).await), "/long").await;
    drop(first);
    for _ in 0..8 {
        tokio::task::yield_now().await;
        assert!(pool.take(&origin, false).is_none());
    }
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes().len(), LONG_BYTES);
    tokio::task::yield_now().await;
    assert!(pool.take(&origin, false).is_some());
}

#[tokio::test]
async fn many_calls_share_a_connection_but_not_more_than_a_provider_allows() {
    let (pool, origin) = (Pool::default(), origin());
    let mut shared = vec![pool.add(&origin, http2().await)];
    assert!(pool.take(&origin, true).is_none(), "it cannot become a WebSocket");
    while let Some(one) = pool.take(&origin, false) {
        shared.push(one);
    }
    assert_eq!(shared.len(), CALLS_PER_CONNECTION);
    let (said, _carrying) = call(shared.swap_remove(7)).await;
    assert!(said.starts_with("HTTP/2.0 https://api.example.com/v1/x?y=1"), "{said}");
    shared.pop();
    assert!(pool.take(&origin, false).is_some());
}

#[tokio::test]
async fn what_nobody_uses_is_ended_and_its_origin_forgotten() {
    let (pool, origin) = (Pool::default(), origin());
    let (_, idle) = call(pool.add(&origin, http1(false).await)).await;
    drop(idle);
    let in_use = Arc::new(Origin::parse("https://api.example.org").unwrap());
    let _call = pool.add(&in_use, http2().await);
    let now = Instant::now();
    pool.origins().sweep(now);
    assert_eq!(pool.origins().kept.len(), 2);
    pool.origins().sweep(now + IDLE);
    assert_eq!(pool.origins().kept.keys().collect::<Vec<_>>(), [in_use.text()]);
}
