//! A TCP proxy that misbehaves on demand: a bad network between two processes.
//!
//! [`FaultProxy::set`] changes the weather for open and new connections alike. It never invents or loses bytes of a
//! connection that lives on: it delays, cuts or holds, and bytes are lost only when a connection ends.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
    task::JoinSet,
    time::sleep,
};

const CHUNK_BYTES: usize = 16 * 1024;

/// Behaviour of a link. The default is good weather.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// `true`: connections are refused, and open ones cut.
    pub down: bool,
    /// Delay of every chunk in milliseconds.
    pub latency_ms: u64,
    /// `true`: bytes to the server are held back, silently, until this is unset.
    pub holds_requests: bool,
    /// `true`: bytes to the client are held back, silently, until this is unset.
    pub holds_answers: bool,
    /// Throughput per direction in bytes per second.
    pub bytes_per_second: Option<u64>,
    /// Size in bytes of the pieces in which chunks arrive.
    pub slice_bytes: Option<usize>,
    /// Delay in milliseconds until the end of one side reaches the other.
    pub slow_close_ms: u64,
    /// Bytes of a client after which the client is cut off before the answer; the server still gets them.
    pub cut_after: Option<&'static [u8]>,
}

/// A proxy in front of one server; it ends, with its connections, when it is dropped.
pub struct FaultProxy {
    /// Address for clients.
    pub address: SocketAddr,
    link: Arc<Link>,
}

struct Link {
    server: SocketAddr,
    weather: watch::Sender<Weather>,
    /// Counter that is raised to end the open connections.
    ended: watch::Sender<u64>,
    connections: AtomicU64,
    cut: AtomicU64,
}

impl FaultProxy {
    /// Starts a proxy, in good weather, on a free port of this machine.
    ///
    /// # Errors
    /// No port could be opened.
    pub async fn start(server: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no port for a fault proxy")?;
        let address = listener.local_addr()?;
        let link = Arc::new(Link {
            server,
            weather: watch::Sender::new(Weather::default()),
            ended: watch::Sender::new(0),
            connections: AtomicU64::new(0),
            cut: AtomicU64::new(0),
        });
        #[expect(clippy::disallowed_methods, reason = "the testkit does not depend on keyway-telemetry")]
        tokio::spawn(accept(listener, Arc::downgrade(&link), link.ended.subscribe()));
        Ok(Self { address, link })
    }

    /// Changes the weather, until it is changed again.
    pub fn set(&self, weather: Weather) {
        let down = weather.down;
        self.link.weather.send_replace(weather);
        if down {
            self.reset();
        }
    }

    /// Sets good weather.
    pub fn heal(&self) {
        self.set(Weather::default());
    }

    /// Resets every open connection; new ones are taken.
    pub fn reset(&self) {
        self.link.ended.send_modify(|times| *times += 1);
    }

    /// Returns the number of connections accepted so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.link.connections.load(Ordering::Relaxed)
    }

    /// Returns the number of connections ended by the weather or by [`Self::reset`].
    #[must_use]
    pub fn cut(&self) -> u64 {
        self.link.cut.load(Ordering::Relaxed)
    }
}

async fn accept(listener: TcpListener, link: std::sync::Weak<Link>, mut ended: watch::Receiver<u64>) {
    let mut connections = JoinSet::new();
    loop {
        let client = tokio::select! {
            changed = ended.changed() => match changed {
                Ok(()) => continue,
                // The proxy was dropped; its connections go with the set.
                Err(_) => return,
            },
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => client,
                Err(_) => continue,
            },
        };
        let Some(link) = link.upgrade() else { return };
        let weather = link.weather.subscribe();
        let (server, ended) = (link.server, link.ended.subscribe());
        if weather.borrow().down {
            link.cut.fetch_add(1, Ordering::Relaxed);
            let _ = client.set_zero_linger();
            continue;
        }
        link.connections.fetch_add(1, Ordering::Relaxed);
        let weak = Arc::downgrade(&link);
        drop(link);
        connections.spawn(async move {
            let end = connection(client, server, weather, ended).await;
            if let Some(link) = weak.upgrade().filter(|_| end != End::Orderly) {
                link.cut.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
}

/// Carries one connection to its end.
async fn connection(
    mut client: TcpStream,
    server: SocketAddr,
    weather: watch::Receiver<Weather>,
    mut ended: watch::Receiver<u64>,
) -> End {
    let Ok(mut server) = TcpStream::connect(server).await else {
        let _ = client.set_zero_linger();
        return End::Cut;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let carried = async {
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        let requests = Pipe { from: from_client, to: to_server, weather: weather.clone(), requests: true };
        let answers = Pipe { from: from_server, to: to_client, weather, requests: false };
        let (requests, answers) = (requests.run(), answers.run());
        tokio::pin!(requests, answers);
        tokio::select! {
            end = &mut requests => if end == End::Orderly { answers.await } else { end },
            end = &mut answers => if end == End::Orderly { requests.await } else { end },
        }
    };
    let end = tokio::select! {
        end = carried => end,
        _ = ended.changed() => End::Cut,
    };
    if end != End::Orderly {
        let _ = client.set_zero_linger();
    }
    if end == End::Cut {
        let _ = server.set_zero_linger();
    }
    end
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Orderly,
    Cut,
    /// Cut for the client, once the server has read everything.
    CutAfter,
}

struct Pipe<'a> {
    from: ReadHalf<'a>,
    to: WriteHalf<'a>,
    weather: watch::Receiver<Weather>,
    requests: bool,
}

impl Pipe<'_> {
    async fn run(mut self) -> End {
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let Ok(read) = self.from.read(&mut chunk).await else { return End::Cut };
            self.wait_while_held().await;
            let now = self.weather.borrow().clone();
            sleep(Duration::from_millis(now.latency_ms)).await;
            if read == 0 {
                sleep(Duration::from_millis(now.slow_close_ms)).await;
                return if self.to.shutdown().await.is_ok() { End::Orderly } else { End::Cut };
            }
            if self.pass(&chunk[..read], &now).await.is_err() {
                return End::Cut;
            }
            if self.requests && now.cut_after.is_some_and(|bytes| contains(&chunk[..read], bytes)) {
                // The server reads what it was sent before it sees the end.
                let _ = self.to.shutdown().await;
                return End::CutAfter;
            }
        }
    }

    async fn wait_while_held(&mut self) {
        let requests = self.requests;
        let passes = |now: &Weather| if requests { !now.holds_requests } else { !now.holds_answers };
        // The sender is gone only when the proxy is.
        let _ = self.weather.wait_for(passes).await;
    }

    async fn pass(&mut self, chunk: &[u8], now: &Weather) -> std::io::Result<()> {
        for piece in chunk.chunks(now.slice_bytes.unwrap_or(CHUNK_BYTES).max(1)) {
            if let Some(rate) = now.bytes_per_second {
                sleep(Duration::from_secs_f64(piece.len() as f64 / rate.max(1) as f64)).await;
            }
            self.to.write_all(piece).await?;
        }
        Ok(())
    }
}

fn contains(chunk: &[u8], bytes: &[u8]) -> bool {
    chunk.windows(bytes.len().max(1)).any(|window| window == bytes)
}
