//! The ops listener: `/healthz`, `/readyz` and `/metrics`, on an address of its own.
//!
//! `/healthz` touches nothing, so a slow database can never make an orchestrator kill the process.

use std::{convert::Infallible, future::Future, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// Check run on every `/readyz`: `Ok` if the process can do its work, else the missing part.
pub type Readiness = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

const REQUEST_DEADLINE: Duration = Duration::from_secs(10);
/// Time limit of a readiness check: orchestrators do not wait longer.
const READINESS_DEADLINE: Duration = Duration::from_secs(2);

/// Serves the ops listener until `stop` is cancelled.
pub async fn serve(listener: TcpListener, readiness: Readiness, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                drop(crate::spawn("ops connection", connection(stream, Arc::clone(&readiness), stop.clone())))
            }
            Err(error) => {
                tracing::warn!(%error, "the ops listener could not accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, readiness: Readiness, stop: CancellationToken) {
    let service = service_fn(move |request| answer(request, Arc::clone(&readiness)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_DEADLINE)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        () = stop.cancelled() => {}
        // A client that breaks off is its own business.
        _ = connection => {}
    }
}

async fn answer(request: Request<Incoming>, readiness: Readiness) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Ok(text(StatusCode::METHOD_NOT_ALLOWED, "only GET is served here\n"));
    }
    Ok(match request.uri().path() {
        "/healthz" => text(StatusCode::OK, "ok\n"),
        "/readyz" => match tokio::time::timeout(READINESS_DEADLINE, readiness()).await {
            Ok(Ok(())) => text(StatusCode::OK, "ready\n"),
            Ok(Err(missing)) => text(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {missing}\n")),
            Err(_) => text(StatusCode::SERVICE_UNAVAILABLE, "not ready: the checks did not end in time\n"),
        },
        "/metrics" => text(StatusCode::OK, crate::metrics().encode()),
        _ => text(StatusCode::NOT_FOUND, "this listener serves /healthz, /readyz and /metrics\n"),
    })
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    response
}
