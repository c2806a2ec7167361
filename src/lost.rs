//! Keyway without the database that its keyring has sealed secrets for: alive, sealed and not ready, with the reason. It
//! answers every request with 503, and must change nothing: neither the database's place nor the keyring.

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use keyway_config::Config;
use keyway_http::{Connection, Door, ServerLimits};
use keyway_telemetry::metrics;
use tokio_util::sync::CancellationToken;

use crate::{places, readiness::Ready, signals};

const ANSWER: &[u8] = br#"{"error":{"type":"api_error","code":"sealed","message":"the vault is sealed: the database that belongs to its keyring is not there; an operator has to restore it"}}"#;

/// Serves the reason alone until a signal.
///
/// # Errors
/// An address is taken.
pub(crate) async fn serve(config: &Config, why: String) -> anyhow::Result<()> {
    let (stop, ready) = (signals::stop_token()?, Ready::default());
    let ops = places::listen(places::OPS_LISTEN, config.process.ops_listen).await?;
    keyway_telemetry::spawn("ops", keyway_telemetry::serve(ops, ready.check(), stop.clone()));
    stay(config, (&ready, why), true, stop).await
}

/// Works like [`serve`], in a process whose ops listener is there already; without a listener for calls, if it has none.
///
/// # Errors
/// An address is taken.
pub(crate) async fn stay(
    config: &Config,
    (ready, why): (&Ready, String),
    listens: bool,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    tracing::error!(why, "the vault is sealed: the database that belongs to its keyring is not there");
    metrics().sealed.set(1);
    ready.never(format!("the vault is sealed: {why}"));
    if !listens {
        stop.cancelled().await;
        return Ok(());
    }
    let listener = places::listen(places::LISTEN, config.api.listen).await?;
    let limits = ServerLimits { drain: config.process.drain, ..ServerLimits::default() };
    keyway_http::serve(listener, Sealed, limits, stop).await.context("serving")
}

/// Answers everything in the same way.
struct Sealed;

impl Door for Sealed {
    type Body = Full<Bytes>;

    fn of_loop(&self) -> Self {
        Self
    }

    async fn answer(&self, _: Request<Incoming>, _: &Connection) -> Response<Self::Body> {
        let mut response = Response::new(Full::new(Bytes::from_static(ANSWER)));
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("30"));
        response
    }
}
