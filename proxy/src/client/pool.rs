//! The connections of one event loop to providers: one HTTP/1.1 connection per call under way, an HTTP/2 connection for
//! several.
//!
//! A connection must never carry a call before the previous one has ended; hyper reports that.

use std::{
    collections::HashMap,
    error::Error as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use http::{Request, Response, Uri, header, uri::PathAndQuery};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1, http2},
};
use keyway_providers::guard::is_flood;

use super::{body::RequestBody, connect::Sender, origin::Origin};

/// Time after which idle connections are closed; shorter than the keep-alive of providers' front ends.
const IDLE: Duration = Duration::from_secs(55);
const IDLE_PER_ORIGIN: usize = 512;
/// Largest number of calls on one HTTP/2 connection. Providers allow a hundred or more; calls beyond their limit would
/// wait silently.
const CALLS_PER_CONNECTION: usize = 64;

/// The pooled connections.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Mutex<Origins>>);

struct Origins {
    kept: HashMap<String, Kept>,
    swept_at: Instant,
}

#[derive(Default)]
struct Kept {
    idle: Vec<Idle>,
    shared: Vec<Shared>,
}

struct Idle {
    sender: http1::SendRequest<RequestBody>,
    since: Instant,
}

struct Shared {
    sender: http2::SendRequest<RequestBody>,
    /// Reference count of its calls.
    calls: Arc<()>,
    used_at: Instant,
}

/// A connection that may carry a call.
pub(crate) struct Connection {
    carrier: Carrier,
    pool: Pool,
}

enum Carrier {
    Own(http1::SendRequest<RequestBody>, Arc<Origin>),
    Shared(http2::SendRequest<RequestBody>, Arc<Origin>, Arc<()>),
}

/// A connection that carries a call. Dropping it returns it to the pool, unless hyper has closed it.
pub(crate) enum Carrying {
    /// An HTTP/1.1 connection; `None` once dropped.
    Own(Option<http1::SendRequest<RequestBody>>, Arc<Origin>, Pool),
    /// An HTTP/2 connection, shared with other calls.
    Shared(#[expect(dead_code, reason = "held for its count")] Arc<()>),
}

/// Reason why a request has no answer.
pub(crate) enum Unanswered {
    /// The provider has not acted on the request, which may go over another connection.
    Unprocessed(Box<Request<RequestBody>>),
    /// The provider sent more than it may before an answer.
    Flooded,
    /// The connection broke; the provider may have acted on the request.
    Broken,
}

impl Default for Pool {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Origins { kept: HashMap::new(), swept_at: Instant::now() })))
    }
}

impl Pool {
    /// Returns a pooled connection; `upgrades` demands one that may become a WebSocket.
    pub(crate) fn take(&self, to: &Arc<Origin>, upgrades: bool) -> Option<Connection> {
        let mut origins = self.origins();
        let kept = origins.kept.get_mut(to.text())?;
        let now = Instant::now();
        if !upgrades && let Some(shared) = kept.share(now) {
            let calls = Arc::clone(&shared.calls);
            return Some(self.connection(Carrier::Shared(shared.sender.clone(), Arc::clone(to), calls)));
        }
        let sender = kept.own(now)?;
        Some(self.connection(Carrier::Own(sender, Arc::clone(to))))
    }

    /// Adds a new connection and returns it for its first call.
    pub(crate) fn add(&self, to: &Arc<Origin>, sender: Sender) -> Connection {
        self.connection(match sender {
            Sender::Http1(sender) => Carrier::Own(sender, Arc::clone(to)),
            Sender::Http2(sender) => {
                let shared = Shared { sender: sender.clone(), calls: Arc::default(), used_at: Instant::now() };
                let calls = Arc::clone(&shared.calls);
                self.origins().kept.entry(to.text().to_owned()).or_default().shared.push(shared);
                Carrier::Shared(sender, Arc::clone(to), calls)
            }
        })
    }

    /// Gives a shared connection no further call; those that it carries go on.
    fn retire(&self, origin: &Origin, calls: &Arc<()>) {
        if let Some(kept) = self.origins().kept.get_mut(origin.text()) {
            kept.shared.retain(|it| !Arc::ptr_eq(&it.calls, calls));
        }
    }

    fn connection(&self, carrier: Carrier) -> Connection {
        Connection { carrier, pool: self.clone() }
    }

    fn put(&self, origin: &Origin, sender: http1::SendRequest<RequestBody>) {
        let now = Instant::now();
        let idle = Idle { sender, since: now };
        let mut origins = self.origins();
        match origins.kept.get_mut(origin.text()) {
            Some(kept) if kept.idle.len() >= IDLE_PER_ORIGIN => {}
            Some(kept) => kept.idle.push(idle),
            None => origins.kept.entry(origin.text().to_owned()).or_default().idle.push(idle),
        }
        if now - origins.swept_at >= IDLE {
            origins.sweep(now);
        }
    }

    fn origins(&self) -> MutexGuard<'_, Origins> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Origins {
    /// Closes connections that were idle for a while, and forgets unused origins.
    fn sweep(&mut self, now: Instant) {
        self.swept_at = now;
        self.kept.retain(|_, kept| {
            kept.idle.retain(|it| !it.sender.is_closed() && now - it.since < IDLE);
            kept.shared.retain(|it| it.is_of_use(now));
            !kept.idle.is_empty() || !kept.shared.is_empty()
        });
    }
}

impl Kept {
    /// Returns the first shared connection with room: those behind it become idle and are closed.
    fn share(&mut self, now: Instant) -> Option<&mut Shared> {
        self.shared.retain(|it| it.is_of_use(now));
        let shared = self.shared.iter_mut().find(|it| it.calls() < CALLS_PER_CONNECTION)?;
        shared.used_at = now;
        Some(shared)
    }

    /// Returns the most recently used free connection.
    fn own(&mut self, now: Instant) -> Option<http1::SendRequest<RequestBody>> {
        for at in (0..self.idle.len()).rev() {
            let idle = &self.idle[at];
            if idle.sender.is_closed() {
                self.idle.remove(at);
            } else if now - idle.since >= IDLE {
                // What is older has been idle for longer.
                self.idle.drain(..=at);
                return None;
            } else if idle.sender.is_ready() {
                return Some(self.idle.remove(at).sender);
            }
        }
        None
    }
}

impl Shared {
    fn is_of_use(&self, now: Instant) -> bool {
        !self.sender.is_closed() && (self.calls() > 0 || now - self.used_at < IDLE)
    }

    fn calls(&self) -> usize {
        Arc::strong_count(&self.calls) - 1
    }
}

impl Connection {
    /// Sends a request, whose URI only needs the path.
    pub(crate) async fn send(
        self,
        mut request: Request<RequestBody>,
    ) -> Result<(Response<Incoming>, Carrying), Unanswered> {
        let target = request.uri().path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
        match self.carrier {
            Carrier::Own(mut sender, origin) => {
                *request.uri_mut() = Uri::from(target);
                request.headers_mut().insert(header::HOST, origin.host().clone());
                let answer = sender.try_send_request(request).await.map_err(|error| Unanswered::of(error, None))?;
                Ok((answer, Carrying::Own(Some(sender), origin, self.pool)))
            }
            Carrier::Shared(mut sender, origin, call) => {
                *request.uri_mut() = origin.uri(target);
                request.headers_mut().remove(header::HOST);
                let again = request.body_mut().again().map(|body| Box::new(like(&request, body)));
                match sender.try_send_request(request).await {
                    Ok(answer) => Ok((answer, Carrying::Shared(call))),
                    Err(error) => {
                        let unanswered = Unanswered::of(error, again);
                        // A call that broke says nothing about those beside it.
                        if !matches!(unanswered, Unanswered::Broken) {
                            self.pool.retire(&origin, &call);
                        }
                        Err(unanswered)
                    }
                }
            }
        }
    }
}

impl Unanswered {
    /// Judges a failure; `again` is the same request once more.
    fn of(mut error: TrySendError<Request<RequestBody>>, again: Option<Box<Request<RequestBody>>>) -> Self {
        // The connection was closed already, and carried nothing of the request.
        if let Some(unsent) = error.take_message() {
            return Self::Unprocessed(Box::new(unsent));
        }
        let error = error.into_error();
        match again {
            Some(again) if is_unprocessed(&error) => Self::Unprocessed(again),
            _ if is_flood(&error) => Self::Flooded,
            _ => Self::Broken,
        }
    }
}

/// Returns `true` if the provider says that it has not processed the request (RFC 9113, section 8.7): it refused the
/// stream, or went away and named one before it as the last.
fn is_unprocessed(error: &hyper::Error) -> bool {
    let Some(error) = error.source().and_then(|cause| cause.downcast_ref::<h2::Error>()) else { return false };
    error.is_remote() && (error.is_go_away() || error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM))
}

fn like(request: &Request<RequestBody>, body: RequestBody) -> Request<RequestBody> {
    let mut like = Request::new(body);
    like.method_mut().clone_from(request.method());
    like.uri_mut().clone_from(request.uri());
    like.headers_mut().clone_from(request.headers());
    like
}

impl Drop for Carrying {
    fn drop(&mut self) {
        if let Self::Own(sender, origin, pool) = self
            && let Some(sender) = sender.take()
        {
            pool.put(origin, sender);
        }
    }
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
