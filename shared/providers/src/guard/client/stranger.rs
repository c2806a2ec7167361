//! The way to hosts that anybody may have named: over connections that count what comes beside answers. It connects to
//! addresses that the rule allows, and to no others.

use std::{
    error::Error,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tower_service::Service;

use super::{
    super::{Bounded, Guard, GuardError, Resolver, is_flood},
    Answer, GuardSettings, NO_TLS, Question, USER_AGENT, Way,
};

/// Time after which idle connections are closed.
const IDLE: Duration = Duration::from_secs(90);
const TCP_KEEPALIVE: Duration = Duration::from_secs(15);

type Tls = HttpsConnector<HttpConnector<Resolver>>;
type Failure = Box<dyn Error + Send + Sync>;

/// Sends requests, over connections that it keeps.
#[derive(Debug)]
pub(super) struct Stranger {
    http: Client<Connector, Full<Bytes>>,
    read_timeout: Duration,
    total_timeout: Duration,
    max_body_bytes: usize,
}

/// Opens connections within a deadline, and bounds what comes over them.
#[derive(Clone, Debug)]
struct Connector {
    tls: Tls,
    timeout: Duration,
}

impl Stranger {
    /// Builds the way with these limits; the process has a TLS provider.
    pub(super) fn new(settings: &GuardSettings, guard: &Guard) -> Result<Self, GuardError> {
        let mut tcp = HttpConnector::new_with_resolver(Resolver::new(guard.clone()));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(TCP_KEEPALIVE));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = HttpsConnectorBuilder::new().with_provider_and_platform_verifier(provider).map_err(|_| NO_TLS)?;
        // Plain http is possible for hosts that the operator trusts; the guard judges every URL.
        let tls = tls.https_or_http().enable_all_versions().wrap_connector(tcp);
        #[expect(clippy::disallowed_methods, reason = "this is the guarded client")]
        let http = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(Connector { tls, timeout: settings.connect_timeout });
        let GuardSettings { read_timeout, total_timeout, max_body_bytes, .. } = *settings;
        Ok(Self { http, read_timeout, total_timeout, max_body_bytes })
    }
}

#[async_trait]
impl Way for Stranger {
    async fn send(&self, question: Question) -> Result<Answer, GuardError> {
        let request = request(question)?;
        let answer = async { self.whole(self.in_time(self.http.request(request)).await?).await };
        tokio::time::timeout(self.total_timeout, answer).await.unwrap_or(Err(GuardError::TimedOut))
    }
}

impl Stranger {
    async fn whole(&self, response: Response<Incoming>) -> Result<Answer, GuardError> {
        let (head, mut from) = response.into_parts();
        let mut body = BytesMut::new();
        while let Some(frame) = self.in_time(async { from.frame().await.transpose() }).await? {
            let Ok(piece) = frame.into_data() else { continue };
            if body.len() + piece.len() > self.max_body_bytes {
                return Err(GuardError::TooLarge);
            }
            body.extend_from_slice(&piece);
        }
        Ok(Answer { status: head.status, headers: head.headers, body: body.freeze() })
    }

    /// Waits for the next piece of an answer.
    async fn in_time<T, E: Error + 'static>(
        &self,
        piece: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, GuardError> {
        match tokio::time::timeout(self.read_timeout, piece).await {
            Ok(read) => read.map_err(|error| judge(&error)),
            Err(_) => Err(GuardError::TimedOut),
        }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Bounded<TokioIo<<Tls as Service<Uri>>::Response>>>;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Failure>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.tls.poll_ready(cx)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let connecting = tokio::time::timeout(self.timeout, self.tls.call(to));
        Box::pin(async move {
            let stream = connecting.await.map_err(|_| GuardError::TimedOut)??;
            Ok(TokioIo::new(Bounded::new(TokioIo::new(stream))))
        })
    }
}

fn request(question: Question) -> Result<Request<Full<Bytes>>, GuardError> {
    let Question { method, url, headers, body } = question;
    let mut request = Request::new(Full::new(body));
    *request.uri_mut() = Uri::try_from(url.as_str()).map_err(|_| GuardError::Refused("this is no URL to call"))?;
    *request.method_mut() = method;
    *request.headers_mut() = headers;
    let headers = request.headers_mut();
    headers.entry(header::ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    headers.entry(header::USER_AGENT).or_insert(HeaderValue::from_static(USER_AGENT));
    Ok(request)
}

/// Classifies an error without any of its text, which contains the host.
fn judge(error: &(dyn Error + 'static)) -> GuardError {
    let mut cause = Some(error);
    while let Some(inner) = cause {
        if let Some(own) = inner.downcast_ref::<GuardError>() {
            return *own;
        }
        cause = inner.source();
    }
    let is_connect = |error: &hyper_util::client::legacy::Error| error.is_connect();
    if is_flood(error) {
        GuardError::Flooded
    } else if error.downcast_ref().is_some_and(is_connect) {
        GuardError::Connect
    } else {
        GuardError::Broken
    }
}
