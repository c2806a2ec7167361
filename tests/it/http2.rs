//! HTTP/2 to a provider that offers it, over real TLS; a connection that is to become a WebSocket stays HTTP/1.1, and a
//! call that one connection did not carry goes over another.

use std::{
    collections::HashSet,
    convert::Infallible,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use anyhow::{Result, ensure};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, Version,
    body::{Bytes, Incoming},
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use keyway_telemetry::spawn;
use reqwest::Method;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    harness::{Keyway, Services, text},
    session::ended,
};

const CALLS: usize = 24;

/// Frames that a provider's double sends to the first call of the proxy instead of an answer, with the status that the
/// caller gets, and whether it has an answer of another connection.
const INSTEAD: [(&[u8], (u16, bool)); 3] = [
    // The stream is refused.
    (&[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 7], (200, true)),
    // The connection ends, and no stream was processed.
    (&[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], (200, true)),
    (&EARLY, (502, false)),
];

/// Twenty interim heads: `:status` is 103.
const EARLY: [u8; 20 * 14] = {
    let (head, mut heads, mut at) = ([0, 0, 5, 1, 4, 0, 0, 0, 1, 8, 3, b'1', b'0', b'3'], [0; 20 * 14], 0);
    while at < heads.len() {
        heads[at] = head[at % 14];
        at += 1;
    }
    heads
};

/// Observations of a provider's double: the connections that carried calls, and the HTTP version of each call.
#[derive(Default)]
struct Seen {
    connections: Mutex<HashSet<usize>>,
    versions: Mutex<Vec<(String, Version)>>,
}

impl Seen {
    fn connections(&self) -> usize {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn version_of(&self, path: &str) -> Option<Version> {
        let versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        versions.iter().find(|(asked, _)| asked == path).map(|(_, version)| *version)
    }
}

#[tokio::test]
async fn a_provider_that_offers_http2_is_called_by_it_over_few_connections() -> Result<()> {
    let seen = Arc::new(Seen::default());
    let host = provider(Arc::clone(&seen), b"").await?;
    let mut keyway = Keyway::on(Services::Embedded).await?;
    let mut others = Vec::new();
    for (said, _) in INSTEAD {
        others.push(provider(Arc::default(), said).await?);
    }
    keyway.set("KEYWAY_TRUSTED_UPSTREAMS", &[std::slice::from_ref(&host), &others].concat().join(","));
    keyway.set("SSL_CERT_FILE", &tls("certificate.pem"));
    keyway.start("serve").await?;
    let api = keyway.api()?.clone();
    let integration = json!({
        "provider": "openai", "name": "tls", "credentials": "sk-over-tls",
        "config": { "base_url": format!("https://{host}/v1") },
    });
    let accepted = api.post("/integrations", integration, 202).await?;
    ended(&api, &text(&accepted, "/operation/id")?).await?;
    let app = api.with_key(&text(&api.post("/virtual-keys", json!({ "name": "app" }), 201).await?, "/key")?);

    let chat = json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": "x" }] });
    for _ in 0..CALLS {
        let answer = app.send(Method::POST, "/v1/chat/completions", Some(chat.clone()), &[]).await?.expect(200)?;
        ensure!(answer["said"] == "by HTTP/2.0", "{answer}");
    }
    let connections = seen.connections();
    let loops = std::thread::available_parallelism()?.get();
    ensure!(connections <= loops, "{CALLS} calls over {connections} connections of {loops} event loops");

    let upgrade = [("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "13")];
    let answer = app.send(Method::GET, "/proxy/openai/v1/realtime", None, &upgrade).await?;
    ensure!(answer.status == 426, "{}", answer.text);
    let asked = seen.version_of("/v1/realtime");
    ensure!(asked == Some(Version::HTTP_11), "{asked:?}");

    for ((said, expected), host) in INSTEAD.iter().zip(others) {
        let config = json!({ "base_url": format!("https://{host}/v1") });
        let body = json!({ "provider": "openai", "name": host, "credentials": format!("sk-{host}"), "config": config });
        let accepted = api.post("/integrations", body, 202).await?;
        ended(&api, &text(&accepted, "/operation/id")?).await?;
        let insists = [("x-keyway-integration", &*text(&accepted, "/integration/id")?)];
        let answer = app.send(Method::POST, "/v1/chat/completions", Some(chat.clone()), &insists).await?;
        ensure!((answer.status, answer.text.contains("by HTTP/2.0")) == *expected, "{said:?}: {}", answer.text);
    }
    keyway.finish().await
}

fn tls(file: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls").join(file).display().to_string()
}

/// A provider behind TLS that offers both versions, and whose second connection says something else, if anything.
/// Returns its host and port.
async fn provider(seen: Arc<Seen>, instead: &'static [u8]) -> Result<String> {
    let certificate = CertificateDer::from_pem_file(tls("certificate.pem"))?;
    let key = PrivateKeyDer::from_pem_file(tls("key.pem"))?;
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(ring).with_safe_default_protocol_versions()?;
    let mut config = config.with_no_client_auth().with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let host = format!("localhost:{}", listener.local_addr()?.port());
    let accepted = Arc::new(AtomicUsize::new(0));
    drop(spawn("double", async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, seen, number) = (acceptor.clone(), Arc::clone(&seen), accepted.fetch_add(1, Relaxed));
            drop(spawn("double's connection", async move {
                // Who does not trust the certificate hangs up.
                let Ok(stream) = acceptor.accept(stream).await else { return };
                // Whoever verifies the key has the first one.
                if number == 1 && !instead.is_empty() {
                    return drop(says(stream, instead).await);
                }
                let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let service = service_fn(move |request| answer(Arc::clone(&seen), number, request));
                let io = TokioIo::new(stream);
                // Its end shows in the calls it carries.
                let _ = if is_http2 {
                    http2::Builder::new(TokioExecutor::new()).serve_connection(io, service).await
                } else {
                    http1::Builder::new().serve_connection(io, service).await
                };
            }));
        }
    }));
    Ok(host)
}

/// Says this instead of an answer, once a request is there, and listens on.
async fn says(mut stream: impl AsyncRead + AsyncWrite + Unpin, instead: &[u8]) -> Result<()> {
    const PREFACE_BYTES: usize = 24;
    stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await?;
    stream.read_exact(&mut [0; PREFACE_BYTES]).await?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        stream.read_exact(&mut vec![0; usize::try_from(length)?]).await?;
        if head[3] == 1 {
            break;
        }
    }
    stream.write_all(instead).await?;
    stream.flush().await?;
    stream.read_to_end(&mut Vec::new()).await?;
    Ok(())
}

async fn answer(
    seen: Arc<Seen>,
    connection: usize,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    drop(body.collect().await);
    let (path, version) = (parts.uri.path().to_owned(), parts.version);
    let is_call = path.ends_with("/chat/completions");
    if is_call {
        seen.connections.lock().unwrap_or_else(PoisonError::into_inner).insert(connection);
    }
    let status = if path.ends_with("/realtime") { 426 } else { 200 };
    seen.versions.lock().unwrap_or_else(PoisonError::into_inner).push((path, version));
    let usage = json!({ "prompt_tokens": 1, "completion_tokens": 1 });
    let said = format!("by {version:?}");
    let body = json!({ "object": "list", "data": [], "model": "gpt-4o-mini", "usage": usage, "said": said });
    let response = Response::builder().status(status).header("content-type", "application/json");
    Ok(response.body(Full::from(body.to_string())).unwrap_or_default())
}
