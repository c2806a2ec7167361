//! The door that applications come in by.

use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use keyway_http::{Connection, Door};

use crate::{answer::relay::ProxyBody, client::ProviderClient, proxy::Proxy, request::hint};

/// Hands requests to the proxy, with the connections of one event loop.
pub struct ProxyDoor {
    proxy: Arc<Proxy>,
    client: ProviderClient,
}

impl ProxyDoor {
    /// Opens a door of this proxy.
    #[must_use]
    pub fn new(proxy: Arc<Proxy>) -> Self {
        Self { client: proxy.client(), proxy }
    }
}

impl Door for ProxyDoor {
    type Body = ProxyBody;

    fn of_loop(&self) -> Self {
        Self::new(Arc::clone(&self.proxy))
    }

    async fn answer(&self, request: Request<Incoming>, connection: &Connection) -> Response<ProxyBody> {
        if connection.is_kept() {
            return self.proxy.turn_away(&request);
        }
        self.proxy.handle(request, connection.peer, &self.client, &connection.traffic).await
    }

    async fn end(&self) {
        self.proxy.end_sessions().await;
    }
}

/// Tells whether a path is the proxy's: one of its own, or one that a caller means for a provider.
#[must_use]
pub fn is_proxied(path: &str) -> bool {
    path.starts_with("/proxy/") || hint::is_meant_for_a_provider(path)
}
