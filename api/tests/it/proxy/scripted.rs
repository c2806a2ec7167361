//! A provider that does exactly what a test says, byte by byte, and shows what it was sent.

use std::future::Future;

use keyway_vault::{Keyring, Vault};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use super::harness::{Harness, Key, PATIENCE, SECRET};

pub(super) struct Scripted {
    pub(super) host: String,
    pub(super) base_url: String,
    /// The head and body of each request, as they came.
    pub(super) requests: mpsc::UnboundedReceiver<String>,
}

/// The start of an answer with a stream of events.
pub(super) const EVENTS: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nx-request-id: req_1\r\n\r\n";

impl Scripted {
    /// Answers every connection with `script`, once a request is there.
    pub(super) async fn start<F, R>(script: F) -> Self
    where
        F: Fn(TcpStream) -> R + Send + Sync + Clone + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (seen, requests) = mpsc::unbounded_channel();
        drop(keyway_telemetry::spawn("scripted provider", async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (script, seen) = (script.clone(), seen.clone());
                drop(keyway_telemetry::spawn("scripted connection", async move {
                    if let Some(request) = read_request(&mut stream).await {
                        // A test that does not look has ended or does not care.
                        let _ = seen.send(request);
                        script(stream).await;
                    }
                }));
            }
        }));
        Self { base_url: format!("http://{host}/v1"), host, requests }
    }

    /// Answers every connection with these bytes and closes it.
    pub(super) async fn says(answer: impl Into<String>) -> Self {
        let answer = answer.into();
        Self::start(move |mut stream| {
            let answer = answer.clone();
            async move {
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap();
            }
        })
        .await
    }
}

/// A proxy whose `openai` is this provider, with a virtual key for it.
pub(super) async fn behind(provider: Scripted) -> (Scripted, Harness, Key) {
    let vault = Vault::open(Keyring::generate().unwrap());
    let harness = Harness::start_with(vault, std::slice::from_ref(&provider.host)).await;
    harness.integration_at("openai", SECRET, &provider.base_url).await;
    let key = harness.virtual_key(None).await;
    (provider, harness, key)
}

/// One chunk of a chunked body.
pub(super) fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

/// Sends raw bytes to a server and reads until it closes: the request has to make it do so.
pub(super) async fn raw(url: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A reset ends an answer like any other close.
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the server left the connection open");
    String::from_utf8_lossy(&answer).into_owned()
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).await.ok().filter(|count| *count > 0)?;
        request.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        let chunked = head.contains("transfer-encoding: chunked");
        if (!chunked && body.len() >= length) || (chunked && body.ends_with("0\r\n\r\n")) {
            return Some(text);
        }
    }
}
