//! The accept loop: one hyper HTTP/1 server for the management API and the proxy.
//!
//! warp's own server sets no deadline for headers and leaves Nagle's algorithm on; here every
//! connection has a deadline, a size limit and a permit, and a stop lets running requests end.

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::Either;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use keyway_domain::RequestId;
use keyway_telemetry::metrics;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_service::Service;
use warp::{Filter, Reply};

use crate::{
    App, Proxy,
    error::{ApiError, Code},
    service,
    write_deadline::WriteDeadline,
};

/// Beyond this hyper itself answers 431, without a body, and closes.
const HARD_HEADER_BYTES: usize = 64 * 1024;
const TOO_MANY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
/// Why a connection is refused, in metrics.
const LIMIT: &str = "limit";
const HEADER_TIMEOUT: &str = "header_timeout";
/// How long to wait when the system has no more file handles.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a client connection may take.
#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    /// Connections at once.
    pub max_connections: usize,
    /// How long a request's headers may take, and how long a connection may idle.
    pub header_timeout: Duration,
    /// The largest request head, in bytes.
    pub max_header_bytes: usize,
    /// How long a client may take nothing of an answer.
    pub write_timeout: Duration,
    /// How long running requests may take to end after a stop.
    pub drain: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            header_timeout: Duration::from_secs(10),
            max_header_bytes: 32 * 1024,
            write_timeout: Duration::from_secs(60),
            drain: Duration::from_secs(25),
        }
    }
}

/// Serves API and proxy until `stop` is cancelled and the running requests have ended or their time is up.
pub async fn serve(
    listener: TcpListener,
    app: Arc<App>,
    proxy: Arc<Proxy>,
    limits: ServerLimits,
    stop: CancellationToken,
) {
    // A counter that appears with its first event has no increase that an alert could see.
    for reason in [LIMIT, HEADER_TIMEOUT] {
        metrics().connections_refused.with_label_values(&[reason]);
    }
    app.serves_beside(&proxy);
    let routes = service::routes(app);
    let permits = Arc::new(Semaphore::new(limits.max_connections));
    let open_connections = TaskTracker::new();
    let stopping = CancellationToken::new();
    let kill = CancellationToken::new();
    let http = http(&limits);
    while let Some((stream, peer)) = accept(&listener, &stop).await {
        let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
            refuse(&stream);
            continue;
        };
        let open = OpenConnection::new(permit);
        // A connection without this works, only slower.
        let _ = stream.set_nodelay(true);
        let (routes, proxy) = (routes.clone(), Arc::clone(&proxy));
        let answer = service_fn(move |request: Request<Incoming>| {
            // The proxy does not pay for a copy of the routes.
            let routes = (!is_proxied(request.uri().path())).then(|| routes.clone());
            dispatch(routes, Arc::clone(&proxy), request, peer, limits.max_header_bytes)
        });
        let stream = WriteDeadline::new(stream, limits.write_timeout);
        let connection = http.serve_connection(TokioIo::new(stream), answer).with_upgrades();
        let (stopping, kill, tracked) = (stopping.clone(), kill.clone(), open_connections.token());
        drop(keyway_telemetry::spawn("api connection", async move {
            let _held = (open, tracked);
            let mut connection = pin!(connection);
            tokio::select! {
                ended = connection.as_mut() => return note(ended),
                () = stopping.cancelled() => connection.as_mut().graceful_shutdown(),
            }
            tokio::select! {
                ended = connection => note(ended),
                () = kill.cancelled() => {}
            }
        }));
    }
    drop(listener);
    stopping.cancel();
    open_connections.close();
    if tokio::time::timeout(limits.drain, open_connections.wait()).await.is_err() {
        tracing::warn!("some requests did not end in time and were broken off");
        kill.cancel();
    }
    proxy.end_sessions().await;
}

fn http(limits: &ServerLimits) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_header_size(HARD_HEADER_BYTES.max(limits.max_header_bytes));
    http
}

async fn accept(listener: &TcpListener, stop: &CancellationToken) -> Option<(TcpStream, SocketAddr)> {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return None,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(accepted) => return Some(accepted),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

type Body<P> = Either<P, <warp::reply::Response as IntoBody>::Body>;

/// Names the body type that warp does not export.
trait IntoBody {
    type Body;
}

impl<B> IntoBody for Response<B> {
    type Body = B;
}

/// Answers by the routes, or without them by the proxy.
async fn dispatch<F>(
    routes: Option<F>,
    proxy: Arc<Proxy>,
    request: Request<Incoming>,
    peer: SocketAddr,
    max_header_bytes: usize,
) -> Result<Response<Body<crate::proxy::Body>>, std::convert::Infallible>
where
    F: Filter<Extract = (warp::reply::Response,), Error = std::convert::Infallible> + Clone + Send + Sync + 'static,
{
    if head_bytes(&request) > max_header_bytes {
        let message = format!("the request's headers are larger than the {max_header_bytes} bytes that are allowed");
        return Ok(answer(ApiError::new(Code::HeadersTooLarge, message)).map(Either::Right));
    }
    let Some(routes) = routes else { return Ok(proxy.handle(request, peer).await.map(Either::Left)) };
    let response = warp::service(routes).call(request).await?;
    Ok(response.map(Either::Right))
}

fn is_proxied(path: &str) -> bool {
    path.starts_with("/proxy/") || path.starts_with("/v1/")
}

fn answer(error: ApiError) -> warp::reply::Response {
    let mut response: Response<Bytes> = error.into_response(RequestId::new());
    response.headers_mut().insert(header::CONNECTION, http::HeaderValue::from_static("close"));
    response.into_response()
}

fn head_bytes<B>(request: &Request<B>) -> usize {
    let headers: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    request.uri().path_and_query().map_or(0, |path| path.as_str().len()) + headers
}

fn refuse(stream: &TcpStream) {
    metrics().connections_refused.with_label_values(&[LIMIT]).inc();
    // Best effort: the socket is closed either way.
    let _ = stream.try_write(TOO_MANY);
}

fn note(ended: hyper::Result<()>) {
    match ended {
        Err(error) if error.is_timeout() => {
            metrics().connections_refused.with_label_values(&[HEADER_TIMEOUT]).inc();
        }
        Err(error) => tracing::debug!(%error, "a connection ended early"),
        Ok(()) => {}
    }
}

struct OpenConnection(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl OpenConnection {
    fn new(permit: OwnedSemaphorePermit) -> Self {
        metrics().connections.inc();
        Self(permit)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        metrics().connections.dec();
    }
}
