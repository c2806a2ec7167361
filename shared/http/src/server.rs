//! One hyper server, HTTP/1.1 and HTTP/2 without TLS: accepts connections and gives
//! each to an event loop, which serves it to its end.
//!
//! warp's own server sets no deadline for headers and leaves Nagle's algorithm on; here every connection has deadlines,
//! a size limit and a permit, and a stop lets running requests end.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use http::{Request, Version};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use keyway_telemetry::metrics;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

use crate::{
    browser,
    caller_stream::{CallerStream, HEADER_TIMEOUT, Patience},
    crowd::{Crowd, Place},
    door::{Connection, Door},
    event_loop::{EventLoops, Spawner},
    traffic::Tracked,
};

/// Head size above which hyper itself answers 431, without a body, and closes.
const HARD_HEADER_BYTES: usize = 64 * 1024;
const TOO_MANY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
/// Largest number of concurrent streams on one HTTP/2 connection.
const STREAMS: u32 = 250;
const HTTP2_BEGINNING: &[u8] = b"PRI * HTTP/2.0";
/// Pause while the system has no free file handle.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Limits of client connections.
#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    /// Largest number of open connections; a twentieth more may be open that carry no proxied call.
    pub max_connections: usize,
    /// Largest number of those of one address, where one of IPv6 stands for its /64; `None`: half of all, and no cap for
    /// this machine.
    pub max_connections_of_address: Option<usize>,
    /// Time limit of a request's head, and of the silence of a new connection.
    pub header_timeout: Duration,
    /// Time that a connection may idle between two requests.
    pub idle_timeout: Duration,
    /// The largest request head, in bytes: doors refuse a larger one in their own words, up to what hyper itself refuses.
    pub max_header_bytes: usize,
    /// Time for which a client may read nothing of an answer.
    pub write_timeout: Duration,
    /// Time limit for running requests to end after a stop.
    pub drain: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            max_connections_of_address: None,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            max_header_bytes: 32 * 1024,
            write_timeout: Duration::from_secs(60),
            drain: Duration::from_secs(25),
        }
    }
}

/// Serves a door until `stop` is cancelled and the running requests have ended or their time is up.
///
/// # Errors
/// The system cannot start the serving threads.
pub async fn serve(
    listener: TcpListener,
    door: impl Door,
    limits: ServerLimits,
    stop: CancellationToken,
) -> io::Result<()> {
    // A counter that appears with its first event has no increase that an alert could see.
    metrics().connections_refused.with_label_values(&[HEADER_TIMEOUT]);
    let mut crowd = Crowd::new(limits.max_connections, limits.max_connections_of_address);
    let (open_connections, stopping, kill) = (TaskTracker::new(), CancellationToken::new(), CancellationToken::new());
    let loops = EventLoops::start(|| {
        let server = Arc::new(Server {
            http1: http1(&limits),
            http2: http2(&limits),
            door: door.of_loop(),
            limits,
            stopping: stopping.clone(),
            kill: kill.clone(),
        });
        move |connection| Arc::clone(&server).connection(connection)
    })?;
    while let Some((stream, peer)) = accept(&listener, &stop).await {
        let place = match crowd.admit(peer.ip()).await {
            Ok(place) => place,
            Err(reason) => {
                refuse(&stream, reason);
                continue;
            }
        };
        let (task, open) = (Arc::clone(&place.task), OpenConnection::new(place, open_connections.token()));
        // A connection without this works, only slower.
        let _ = stream.set_nodelay(true);
        match stream.into_std() {
            Ok(stream) => loops.give(Accepted { stream, peer, open }, task),
            Err(error) => tracing::warn!(%error, "a connection could not be given to its thread"),
        }
    }
    drop(listener);
    stopping.cancel();
    open_connections.close();
    if tokio::time::timeout(limits.drain, open_connections.wait()).await.is_err() {
        tracing::warn!("some requests did not end in time and were broken off");
        kill.cancel();
    }
    door.end().await;
    loops.end().await;
    Ok(())
}

/// State with which one event loop serves its connections.
struct Server<D> {
    http1: http1::Builder,
    http2: http2::Builder<Spawner>,
    door: D,
    limits: ServerLimits,
    stopping: CancellationToken,
    kill: CancellationToken,
}

/// An accepted connection without an event loop yet.
struct Accepted {
    stream: std::net::TcpStream,
    peer: SocketAddr,
    open: OpenConnection,
}

impl<D: Door> Server<D> {
    async fn connection(self: Arc<Self>, accepted: Accepted) {
        let Accepted { stream, peer, open } = accepted;
        let (traffic, ordinary) = (Arc::clone(&open.place.traffic), open.place.ordinary.clone());
        let stream = match TcpStream::from_std(stream) {
            Ok(stream) => stream,
            Err(error) => return tracing::warn!(%error, "a connection cannot be served"),
        };
        // Who connects has something to say.
        let Ok(Ok(speaks_http2)) = tokio::time::timeout(self.limits.header_timeout, speaks_http2(&stream)).await else {
            return;
        };
        let stream = TokioIo::new(CallerStream::new(stream, self.limits.patience(), Arc::clone(&traffic)));
        let server = Arc::clone(&self);
        let connection = Connection { peer, traffic, ordinary };
        let answer = service_fn(move |request: Request<Incoming>| {
            let (server, connection) = (Arc::clone(&server), connection.clone());
            async move {
                let under_way = connection.traffic.begin(request.version() == Version::HTTP_2);
                let mut response = server.door.answer(request, &connection).await;
                browser::protect(response.headers_mut());
                Ok::<_, Infallible>(response.map(|body| Tracked::new(body, under_way)))
            }
        });
        if speaks_http2 {
            let connection = self.http2.serve_connection(stream, answer);
            self.drive(connection, http2::Connection::graceful_shutdown).await;
        } else {
            let connection = self.http1.serve_connection(stream, answer).with_upgrades();
            self.drive(connection, http1::UpgradeableConnection::graceful_shutdown).await;
        }
    }

    /// Serves a connection to its end; once the server stops, that is the end of its current requests.
    async fn drive<C>(&self, connection: C, stop: impl FnOnce(Pin<&mut C>))
    where
        C: Future<Output = hyper::Result<()>>,
    {
        let mut connection = pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => return note(ended),
            () = self.stopping.cancelled() => stop(connection.as_mut()),
        }
        tokio::select! {
            ended = connection => note(ended),
            () = self.kill.cancelled() => {}
        }
    }
}

impl ServerLimits {
    const fn patience(&self) -> Patience {
        Patience { head: self.header_timeout, idle: self.idle_timeout, write: self.write_timeout }
    }
}

/// Configures HTTP/1 without hyper's deadlines, as the stream has them: it tells an incomplete head from an idle
/// connection.
fn http1(limits: &ServerLimits) -> http1::Builder {
    let mut http1 = http1::Builder::new();
    http1.header_read_timeout(None).max_header_size(HARD_HEADER_BYTES.max(limits.max_header_bytes));
    http1
}

fn http2(limits: &ServerLimits) -> http2::Builder<Spawner> {
    let mut http2 = http2::Builder::new(Spawner);
    let head_bytes = u32::try_from(HARD_HEADER_BYTES.max(limits.max_header_bytes)).unwrap_or(u32::MAX);
    http2.timer(TokioTimer::new()).max_header_list_size(head_bytes).max_concurrent_streams(STREAMS);
    http2
}

/// Returns `true` if a caller begins with HTTP/2's preface (RFC 9113, section 3.4), which no method resembles.
async fn speaks_http2(stream: &TcpStream) -> io::Result<bool> {
    let mut beginning = [0; HTTP2_BEGINNING.len()];
    let length = stream.peek(&mut beginning).await?;
    Ok(&beginning[..length] == HTTP2_BEGINNING)
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

fn refuse(stream: &TcpStream, reason: &'static str) {
    metrics().connections_refused.with_label_values(&[reason]).inc();
    // Best effort: the socket is closed either way.
    let _ = stream.try_write(TOO_MANY);
}

fn note(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Place of an open connection, counted until dropped.
struct OpenConnection {
    place: Place,
    #[expect(dead_code, reason = "held for its drop")]
    tracked: TaskTrackerToken,
}

impl OpenConnection {
    fn new(place: Place, tracked: TaskTrackerToken) -> Self {
        metrics().connections.inc();
        Self { place, tracked }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        metrics().connections.dec();
    }
}
