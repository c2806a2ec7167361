//! The front: which door a request goes to. `/proxy`, `/v1` and whatever else callers mean for a provider go to the proxy,
//! `/api` to the management API, and what is only read elsewhere to the dashboard. They know of each other only what is said here.

use std::{io, net::SocketAddr, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use keyway_api::{ApiBody, App, OpenApi, ProxyBeside};
use keyway_domain::{AuthFailure, Explanation, Invalidation, ProjectId, TenantId, Wanted};
use keyway_http::{Connection, Door, ServerLimits, check_target, head_bytes};
use keyway_proxy::{Proxy, ProxyBody, ProxyDoor, is_proxied};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Answers what is only read outside the API and the proxy; `None`: it is no page.
pub(crate) type Pages = fn(&Request<Incoming>) -> Option<Response<Full<Bytes>>>;

/// Serves API, proxy and pages until `stop` is cancelled and the running requests have ended or the drain time is over.
///
/// # Errors
/// The system cannot start the serving threads.
pub(crate) async fn serve(
    listener: TcpListener,
    app: Arc<App>,
    proxy: Arc<Proxy>,
    pages: Pages,
    (limits, stop): (ServerLimits, CancellationToken),
) -> io::Result<()> {
    let max_header_bytes = limits.max_header_bytes;
    let front = Front { api: keyway_api::door(app), proxy: ProxyDoor::new(proxy), pages, max_header_bytes };
    keyway_http::serve(listener, front, limits, stop).await
}

/// Is to the API what the proxy of its process is.
pub(crate) struct Beside(pub(crate) Arc<Proxy>);

/// Holds both doors, and the pages between them.
struct Front<A> {
    api: A,
    proxy: ProxyDoor,
    pages: Pages,
    max_header_bytes: usize,
}

impl<A: Door<Body = ApiBody>> Door for Front<A> {
    type Body = Either<ProxyBody, Either<ApiBody, Full<Bytes>>>;

    fn of_loop(&self) -> Self {
        let Self { api, proxy, pages, max_header_bytes } = self;
        Self { api: api.of_loop(), proxy: proxy.of_loop(), pages: *pages, max_header_bytes: *max_header_bytes }
    }

    async fn answer(&self, request: Request<Incoming>, connection: &Connection) -> Response<Self::Body> {
        if let Err(why) = check_target(&request) {
            return keyway_api::refuse_target(why).map(Either::Left).map(Either::Right);
        }
        let request = keyway_api::aliased(folded(request));
        if head_bytes(&request) > self.max_header_bytes {
            return keyway_api::refuse_head(self.max_header_bytes).map(Either::Left).map(Either::Right);
        }
        if is_proxied(request.uri().path()) {
            self.proxy.answer(request, connection).await.map(Either::Left)
        } else if let Some(page) = (self.pages)(&request) {
            page.map(Either::Right).map(Either::Right)
        } else {
            self.api.answer(request, connection).await.map(Either::Left).map(Either::Right)
        }
    }

    async fn end(&self) {
        self.proxy.end().await;
        self.api.end().await;
    }
}

#[async_trait]
impl ProxyBeside for Beside {
    fn forget(&self, tenant_id: TenantId, what: Invalidation) {
        self.0.forget(tenant_id, what);
    }

    async fn explain(&self, tenant_id: TenantId, project_id: ProjectId, wanted: Wanted<'_>) -> Explanation {
        self.0.explain(tenant_id, project_id, wanted).await
    }

    async fn refuse(&self, peer: SocketAddr, failure: AuthFailure) {
        self.0.refuse(peer, failure).await;
    }

    fn describe(&self, document: &mut OpenApi) {
        keyway_proxy::describe(document);
    }
}

/// Folds a request into one with single slashes in its path and none at its end: base URLs are written with one, and without.
fn folded<B>(mut request: Request<B>) -> Request<B> {
    let path = request.uri().path();
    let is_page = path.starts_with("/api/docs");
    if is_page || !path.contains("//") && (path.len() <= 1 || !path.ends_with('/')) {
        return request;
    }
    let mut target: String = path.split('/').filter(|segment| !segment.is_empty()).flat_map(|it| ["/", it]).collect();
    if target.is_empty() {
        target.push('/');
    }
    if let Some(query) = request.uri().query() {
        target.extend(["?", query]);
    }
    // What was a target is one without its slashes; should it not be, it is served as it came.
    if let Ok(uri) = Uri::try_from(target) {
        *request.uri_mut() = uri;
    }
    request
}
