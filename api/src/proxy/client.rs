//! The client that calls providers: pooled HTTP/1.1 connections over TLS, to addresses the guard allows.
//!
//! It must never follow a redirect or use a proxy; the pooled client of hyper-util does neither.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, Error, ResponseFuture, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use keyway_providers::{
    GuardError,
    guard::{Guard, Resolver},
};
use tower_service::Service;

use super::{
    intake::Source,
    refusal::{Code, Refusal},
};

/// Until a TCP connection stands, and again until TLS does.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Shorter than what providers' front ends keep idle connections for.
const POOL_IDLE: Duration = Duration::from_secs(55);
const POOL_IDLE_PER_HOST: usize = 512;

/// Calls providers, over connections of its own: each event loop has one.
pub struct ProviderClient(Client<Connector, RequestBody>);

/// Makes connections to providers.
pub(super) type Connector = InTime<HttpsConnector<HttpConnector<Resolver>>>;

/// The body of a request to a provider.
pub(super) enum RequestBody {
    /// Read already. What it was read from goes along: dropping it wakes the caller's connection, which
    /// from within that connection's own task would rouse a second thread for every request.
    Whole(Full<Bytes>, #[expect(dead_code, reason = "held for its drop")] Option<Source>),
    /// Passed on as it arrives.
    Passing(Incoming),
}

/// A connector that gives up after a while, whatever the connection is waiting for.
#[derive(Clone)]
pub(super) struct InTime<C>(C);

/// A connector under this rule.
///
/// # Errors
/// TLS is not usable on this machine.
pub(super) fn connector(guard: &Guard) -> io::Result<Connector> {
    let mut http = HttpConnector::new_with_resolver(Resolver::new(guard.clone()));
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(CONNECT_TIMEOUT));
    http.set_keepalive(Some(POOL_IDLE));
    // Plain http is possible for hosts that the operator trusts; the guard has judged every URL.
    let https = HttpsConnectorBuilder::new()
        .with_provider_and_platform_verifier(Arc::new(rustls::crypto::ring::default_provider()))?
        .https_or_http()
        .enable_http1()
        .wrap_connector(http);
    Ok(InTime(https))
}

impl ProviderClient {
    /// A client that has no connections yet.
    pub(super) fn new(connector: Connector) -> Self {
        let mut client = Client::builder(TokioExecutor::new());
        client.pool_timer(TokioTimer::new());
        client.pool_idle_timeout(POOL_IDLE);
        client.pool_max_idle_per_host(POOL_IDLE_PER_HOST);
        Self(client.build(connector))
    }

    /// The beginning of a provider's answer.
    pub(super) fn request(&self, request: Request<RequestBody>) -> ResponseFuture {
        self.0.request(request)
    }
}

/// What went wrong, without any of the error's text: it may name hosts and addresses.
pub(super) fn judge(error: &Error) -> Refusal {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        match inner.downcast_ref::<GuardError>() {
            Some(GuardError::Refused(_)) => {
                return Refusal::new(Code::UpstreamForbidden, "the provider's host may not be called from here");
            }
            Some(_) => break,
            None => cause = inner.source(),
        }
    }
    if error.is_connect() {
        return Refusal::new(Code::UpstreamUnreachable, "no connection could be made to the provider");
    }
    Refusal::new(Code::UpstreamBroken, "the connection to the provider broke off before it answered")
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Whole(body, _) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Self::Passing(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body, _) => body.is_end_stream(),
            Self::Passing(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body, _) => body.size_hint(),
            Self::Passing(body) => body.size_hint(),
        }
    }
}

impl<C> Service<Uri> for InTime<C>
where
    C: Service<Uri, Error = Box<dyn std::error::Error + Send + Sync>>,
    C::Future: Send + 'static,
    C::Response: 'static,
{
    type Response = C::Response;
    type Error = C::Error;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, C::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let connecting = self.0.call(to);
        Box::pin(async move {
            match tokio::time::timeout(CONNECT_TIMEOUT * 2, connecting).await {
                Ok(connected) => connected,
                Err(late) => Err(late.into()),
            }
        })
    }
}
