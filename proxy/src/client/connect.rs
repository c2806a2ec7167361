//! Connects to providers: to addresses that the guard allows, over TLS unless the operator trusts the host, with HTTP/2
//! if the provider offers it.
//!
//! It must never use a proxy, wait forever for a silent provider, nor read without end what one sends before an answer.

use std::{error::Error, io, sync::Arc, time::Duration};

use hyper::client::conn::{http1, http2};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::connect::{Connection as _, HttpConnector},
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use keyway_providers::guard::{Bounded, Guard, Resolver};
use keyway_telemetry::spawn;
use tower_service::Service;

use super::{body::RequestBody, origin::Origin};

/// Time limit for TCP, TLS and the choice of HTTP's version together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// Time limit for the TCP connection alone.
const TCP_TIMEOUT: Duration = Duration::from_secs(10);
const TCP_KEEPALIVE: Duration = Duration::from_secs(55);
/// Interval of pings on a shared HTTP/2 connection, whose calls alone could not notice its loss.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// Flow-control windows: bytes that a provider may send ahead of the reader, per answer and per connection.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;

/// The connector.
#[derive(Clone)]
pub(crate) struct Connector {
    /// Offers HTTP/2 and HTTP/1.1.
    any: HttpsConnector<HttpConnector<Resolver>>,
    http1: HttpsConnector<HttpConnector<Resolver>>,
}

/// Sending half of a new connection.
pub(crate) enum Sender {
    /// One call at a time.
    Http1(http1::SendRequest<RequestBody>),
    /// Many calls at a time.
    Http2(http2::SendRequest<RequestBody>),
}

impl Connector {
    /// Builds a connector under this rule.
    ///
    /// # Errors
    /// TLS is not usable on this machine.
    pub(crate) fn new(guard: &Guard) -> io::Result<Self> {
        let mut tcp = HttpConnector::new_with_resolver(Resolver::new(guard.clone()));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(TCP_TIMEOUT));
        tcp.set_keepalive(Some(TCP_KEEPALIVE));
        let tls = || {
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            // Plain http is possible for hosts that the operator trusts; the guard has judged every URL.
            io::Result::Ok(HttpsConnectorBuilder::new().with_provider_and_platform_verifier(provider)?.https_or_http())
        };
        Ok(Self {
            any: tls()?.enable_all_versions().wrap_connector(tcp.clone()),
            http1: tls()?.enable_http1().wrap_connector(tcp),
        })
    }

    /// Opens a connection; `upgrades` demands HTTP/1.1, which alone can become a WebSocket.
    ///
    /// # Errors
    /// The host may not be called, or no connection could be made in time.
    pub(crate) async fn connect(&self, to: &Origin, upgrades: bool) -> Result<Sender, Box<dyn Error + Send + Sync>> {
        let mut connector = if upgrades { self.http1.clone() } else { self.any.clone() };
        let agreed = async {
            let stream = TokioIo::new(Bounded::new(TokioIo::new(connector.call(to.root()).await?)));
            if stream.connected().is_negotiated_h2() {
                let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                    .timer(TokioTimer::new())
                    .keep_alive_interval(PING_INTERVAL)
                    .initial_stream_window_size(STREAM_WINDOW_BYTES)
                    .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
                    .handshake(stream)
                    .await?;
                // Its end shows in the calls it carries.
                drop(spawn("provider connection", async move { drop(connection.await) }));
                return Ok(Sender::Http2(sender));
            }
            let (sender, connection) = http1::handshake(stream).await?;
            drop(spawn("provider connection", async move { drop(connection.with_upgrades().await) }));
            Ok(Sender::Http1(sender))
        };
        tokio::time::timeout(CONNECT_TIMEOUT, agreed).await?
    }
}
