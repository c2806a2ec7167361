//! Recorded answers (`fixtures/<provider>/<case>.json`) and a server that replays them, byte for byte.

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::Ipv4Addr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context as _;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Collected, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinSet};

/// One recorded case.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// Name, for messages.
    pub name: String,
    /// Kind of call: `verify`, `usage`, `chat`...
    pub kind: String,
    /// Path of the request: `/v1/models`.
    pub path: String,
    /// HTTP status of the answer.
    pub status: u16,
    /// Headers of the answer.
    pub headers: Vec<(String, String)>,
    /// Body of the answer.
    pub body: Vec<u8>,
    /// Expected result of a correct client.
    pub expect: Value,
}

impl Fixture {
    /// Returns the case `provider/case`.
    ///
    /// # Errors
    /// The case does not exist, or is malformed.
    pub fn load(name: &str) -> anyhow::Result<Self> {
        let path = root().join(format!("{name}.json"));
        let text = std::fs::read_to_string(&path).with_context(|| format!("no fixture {name}"))?;
        Self::read(name, &serde_json::from_str(&text)?).with_context(|| format!("fixture {name} is not in its form"))
    }

    /// Returns every case of a provider, by name. Files without an answer (inputs, vectors) are no cases.
    ///
    /// # Errors
    /// As for [`Self::load`].
    pub fn all(provider: &str) -> anyhow::Result<Vec<Self>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(root().join(provider))? {
            let entry = entry?;
            let file: Value = serde_json::from_str(&std::fs::read_to_string(entry.path())?)?;
            let name = entry.file_name().to_string_lossy().trim_end_matches(".json").to_owned();
            names.extend(file.get("response").map(|_| format!("{provider}/{name}")));
        }
        names.sort_unstable();
        names.iter().map(|name| Self::load(name)).collect()
    }

    /// Returns the recorded answer.
    #[must_use]
    pub fn response(&self) -> Response<Full<Bytes>> {
        let start = Response::builder().status(self.status);
        let builder = self.headers.iter().fold(start, |builder, (name, value)| builder.header(name, value));
        builder.body(Full::new(self.body.clone().into())).unwrap_or_default()
    }

    fn read(name: &str, case: &Value) -> Option<Self> {
        let response = case.get("response")?;
        let headers = response.get("headers")?.as_object()?;
        let url = case.get("request")?.get("url")?.as_str()?;
        let path = url.split_once("://").map_or(url, |(_, rest)| rest).split_once('/').map_or("", |(_, path)| path);
        let body = match (response.get("body"), response.get("body_text")) {
            (Some(body), _) => body.to_string().into_bytes(),
            (None, Some(text)) => text.as_str()?.as_bytes().to_vec(),
            (None, None) => Vec::new(),
        };
        Some(Self {
            name: name.to_owned(),
            kind: case.get("kind")?.as_str()?.to_owned(),
            path: format!("/{path}"),
            status: u16::try_from(response.get("status")?.as_u64()?).ok()?,
            headers: headers
                .iter()
                .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
                .collect(),
            body,
            expect: case.get("expect").cloned().unwrap_or_default(),
        })
    }
}

/// A request that the server got.
#[derive(Clone, Debug)]
pub struct Received {
    /// Request line: `GET /v1/models?x=y`.
    pub line: String,
    /// Headers.
    pub headers: http::HeaderMap,
    /// Body.
    pub body: Bytes,
}

/// A server that answers one recorded case after the other, and repeats the last one.
pub struct Replay {
    /// `http://127.0.0.1:<port>`.
    pub root: String,
    /// `127.0.0.1:<port>`, for the list of trusted upstreams.
    pub host: String,
    received: Arc<Mutex<Vec<Received>>>,
    _server: JoinSet<()>,
}

impl Replay {
    /// Starts a server on a free port.
    ///
    /// # Errors
    /// No port could be opened.
    pub async fn start(cases: Vec<Fixture>) -> anyhow::Result<Self> {
        Self::start_with(|_| cases).await
    }

    /// Works like [`Self::start`], with cases that are built from the server's own root.
    ///
    /// # Errors
    /// No port could be opened.
    pub async fn start_with(cases: impl FnOnce(&str) -> Vec<Fixture>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let host = listener.local_addr()?.to_string();
        let root = format!("http://{host}");
        let received = Arc::new(Mutex::new(Vec::new()));
        let cases = Arc::new(Mutex::new(VecDeque::from(cases(&root))));
        let mut server = JoinSet::new();
        server.spawn(accept(listener, cases, Arc::clone(&received)));
        Ok(Self { root, host, received, _server: server })
    }

    /// Returns the requests received so far.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

type Cases = Arc<Mutex<VecDeque<Fixture>>>;

async fn accept(listener: TcpListener, cases: Cases, received: Arc<Mutex<Vec<Received>>>) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let (cases, received) = (Arc::clone(&cases), Arc::clone(&received));
        connections.spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let (cases, received) = (Arc::clone(&cases), Arc::clone(&received));
                async move {
                    let (head, body) = request.into_parts();
                    let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
                    let line = format!("{} {}", head.method, head.uri);
                    let seen = Received { line, headers: head.headers, body };
                    received.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
                    Ok::<_, Infallible>(next(&cases))
                }
            });
            http1::Builder::new().serve_connection(TokioIo::new(socket), service).await
        });
    }
}

fn next(cases: &Cases) -> Response<Full<Bytes>> {
    let mut cases = cases.lock().unwrap_or_else(PoisonError::into_inner);
    let case = if cases.len() > 1 { cases.pop_front() } else { cases.front().cloned() };
    case.map(|case| case.response()).unwrap_or_default()
}
