//! A provider scripted by a test, byte by byte, which records its requests.

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

/// Bytes that a provider sends, and its action afterwards.
#[derive(Clone)]
pub(super) struct Reply {
    bytes: Vec<u8>,
    then: Then,
}

#[derive(Clone, Copy)]
enum Then {
    Close,
    Reset,
    /// Waits until the other side has closed.
    Wait,
}

/// The chunk that ends a chunked body.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

impl Reply {
    /// A body of known length. `headers` end with a line end.
    pub(super) fn of(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Self {
        let length = body.as_ref().len();
        let head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n");
        Self { bytes: [head.as_bytes(), body.as_ref()].concat(), then: Then::Close }
    }

    /// A document of JSON.
    pub(super) fn json(status: u16, body: impl AsRef<[u8]>) -> Self {
        Self::of(status, "content-type: application/json\r\n", body)
    }

    /// A good answer, each piece a chunk, that comes to its end.
    pub(super) fn chunked(headers: &str, pieces: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n{headers}transfer-encoding: chunked\r\n\r\n");
        let mut bytes = head.into_bytes();
        for piece in pieces {
            let piece = piece.as_ref();
            bytes.extend_from_slice(&[format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat());
        }
        bytes.extend_from_slice(LAST_CHUNK);
        Self { bytes, then: Then::Close }
    }

    /// A stream of events.
    pub(super) fn events(pieces: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        Self::chunked("content-type: text/event-stream\r\n", pieces)
    }

    /// The same chunks without the last, and the connection is closed.
    pub(super) fn cut(mut self) -> Self {
        let length = self.bytes.len() - LAST_CHUNK.len();
        assert_eq!(&self.bytes[length..], LAST_CHUNK);
        self.bytes.truncate(length);
        self
    }

    /// The same chunks without the last, and the connection is reset.
    pub(super) fn reset(self) -> Self {
        Self { then: Then::Reset, ..self.cut() }
    }

    /// The same chunks without the last, and nothing more.
    pub(super) fn and_waits(self) -> Self {
        Self { then: Then::Wait, ..self.cut() }
    }

    /// All of it, for messages.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    async fn send(self, mut stream: TcpStream) {
        // The other side may have gone.
        let _ = stream.write_all(&self.bytes).await;
        match self.then {
            Then::Close => drop(stream.shutdown().await),
            Then::Reset => stream.set_zero_linger().unwrap(),
            Then::Wait => drop(stream.read_to_end(&mut Vec::new()).await),
        }
    }
}

impl Scripted {
    /// Answers every connection with `script`, once a request is there.
    pub(super) async fn start<F, R>(script: F) -> Self
    where
        F: Fn(TcpStream) -> R + Send + Sync + Clone + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        Self::serve(move |stream, _| script(stream)).await
    }

    /// Answers each request with what `answer` says to it.
    pub(super) async fn by(answer: impl Fn(&str) -> Reply + Send + Sync + Clone + 'static) -> Self {
        Self::serve(move |stream, request| answer(&request).send(stream)).await
    }

    async fn serve<F, R>(script: F) -> Self
    where
        F: Fn(TcpStream, String) -> R + Send + Sync + Clone + 'static,
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
                        let _ = seen.send(request.clone());
                        script(stream, request).await;
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

/// A proxy that trusts this provider.
pub(super) async fn trusting(provider: &Scripted) -> Harness {
    let vault = Vault::open(Keyring::generate().unwrap());
    Harness::start_with(vault, std::slice::from_ref(&provider.host)).await
}

/// A proxy whose `openai` is this provider, with a virtual key for it.
pub(super) async fn behind(provider: Scripted) -> (Scripted, Harness, Key) {
    let harness = trusting(&provider).await;
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
