//! Doors: what stands behind the listener and answers requests.

use std::{error::Error, future::Future, net::SocketAddr, sync::Arc};

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use tokio::sync::Semaphore;

use crate::traffic::Traffic;

/// Answers the requests of callers.
pub trait Door: Send + Sync + Sized + 'static {
    /// The body of its answers.
    type Body: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static;

    /// Makes the door of one event loop, which shares everything with it but connections.
    #[must_use]
    fn of_loop(&self) -> Self;

    /// Answers a request.
    fn answer(
        &self,
        request: Request<Incoming>,
        connection: &Connection,
    ) -> impl Future<Output = Response<Self::Body>> + Send;

    /// Ends what outlives its answers, and waits for that: for a graceful stop.
    fn end(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// The connection that a request came on.
#[derive(Clone)]
pub struct Connection {
    /// The other end.
    pub peer: SocketAddr,
    /// Its traffic.
    pub traffic: Arc<Traffic>,
    /// Places for all, where the connection has one that is kept from proxied calls.
    pub(crate) ordinary: Option<Arc<Semaphore>>,
}

impl Connection {
    /// Returns `true` if nothing but management may be asked for on it: all other places are taken.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.ordinary.as_ref().is_some_and(|ordinary| ordinary.available_permits() == 0)
    }
}

/// Counts the bytes of a request's head.
pub fn head_bytes<B>(request: &Request<B>) -> usize {
    let headers: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    request.uri().path_and_query().map_or(0, |path| path.as_str().len()) + headers
}
