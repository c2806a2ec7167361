//! Streams that are cut at random, by the caller, by the provider and by kill -9 of the proxy: whatever a
//! provider was asked is in the ledger once, completed, broken off or settled.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use futures::future::try_join_all;
use keyway_telemetry::spawn;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::harness::{Api, Database, Keyway, Services, http_client, text, until};

const STREAMS: usize = 50;
const KILLS: usize = 3;
/// Requests that reach the provider before the next kill, at least.
const BETWEEN_KILLS: usize = 100;
const EVENTS: u32 = 12;
const PACE_MS: std::ops::Range<u64> = 1..8;
const PATH: &str = "/v1/streams/";

#[tokio::test]
async fn every_stream_is_in_the_ledger_once_embedded() -> Result<()> {
    streams_cut_at_random(Services::Embedded).await
}

#[tokio::test]
async fn every_stream_is_in_the_ledger_once_distributed() -> Result<()> {
    streams_cut_at_random(Services::shared().await?).await
}

async fn streams_cut_at_random(services: Services) -> Result<()> {
    let seed = fastrand::u64(..);
    cut(services, seed).await.with_context(|| format!("with the seed {seed}"))
}

async fn cut(services: Services, seed: u64) -> Result<()> {
    let mut rng = Rng::with_seed(seed);
    let upstream = Upstream::start(rng.fork()).await?;
    let is_embedded = matches!(services, Services::Embedded);
    let mut keyway = Keyway::on(services).await?;
    keyway.set("KEYWAY_TRUSTED_UPSTREAMS", &upstream.address.to_string());
    if is_embedded {
        keyway.start("serve").await?;
    } else {
        keyway.run(&["migrate"])?;
        keyway.start("api").await?;
        keyway.start("workers").await?;
    }
    let api = keyway.api()?.clone();
    let config = json!({ "base_url": format!("http://{}/v1", upstream.address) });
    let body = json!({ "provider": "openai", "name": "cut", "credentials": "sk-sim-good-cut", "config": config });
    api.post("/integrations", body, 202).await?;
    let key = text(&api.post("/virtual-keys", json!({ "name": "app" }), 201).await?, "/key")?;

    let callers = Callers::new(&api, &key)?;
    let load = try_join_all((0..STREAMS).map(|_| callers.call_until_the_end(rng.fork())));
    let kill = async {
        for _ in 0..KILLS {
            let asked = upstream.asked().len();
            until("streams are under way", async || Ok(upstream.asked().len() >= asked + BETWEEN_KILLS)).await?;
            tokio::time::sleep(Duration::from_millis(rng.u64(0..100))).await;
            keyway.member(0).process.kill()?;
            keyway.respawn(0)?;
            keyway.ready(0).await?;
        }
        callers.end.store(true, SeqCst);
        anyhow::Ok(())
    };
    tokio::try_join!(load, kill)?;
    accounted_for(&keyway.database().await?, &upstream.asked()).await?;
    keyway.finish().await
}

/// Checks that every request to the provider is in the ledger, row by row, and in the sums, with every kind of end.
async fn accounted_for(database: &Database, asked: &BTreeMap<u64, u64>) -> Result<()> {
    ensure!(asked.values().all(|times| *times == 1), "a request was sent twice");
    let rows = format!("FROM metered_calls WHERE path LIKE '{PATH}%'");
    until("every stream that was asked for is in the ledger", async || {
        let paths = database.texts(&format!("SELECT path {rows}")).await?;
        let mut known: BTreeMap<u64, u64> = BTreeMap::new();
        for path in &paths {
            *known.entry(path.trim_start_matches(PATH).parse()?).or_default() += 1;
        }
        let doubled: Vec<_> = known.iter().filter(|(_, times)| **times > 1).collect();
        ensure!(doubled.is_empty(), "more than once in the ledger: {doubled:?}");
        let lost: Vec<_> = asked.keys().filter(|id| !known.contains_key(id)).collect();
        ensure!(lost.is_empty(), "{} of {} are not in the ledger: {lost:?}", lost.len(), asked.len());
        Ok(true)
    })
    .await?;
    until("the sums are those of the rows, and settled calls have no figures", async || {
        let number = async |what: &str, more: &str| database.number(&format!("SELECT {what} {rows}{more}")).await;
        let all = number("COUNT(*)", "").await?;
        let sums = database.number("SELECT CAST(SUM(requests) AS BIGINT) FROM usage_daily").await?;
        ensure!(all == sums, "{all} rows, {sums} in the sums");
        let settled = number("COUNT(*)", " AND settled AND NOT complete AND input_tokens IS NULL").await?;
        let completed = number("COUNT(*)", " AND NOT settled AND complete AND input_tokens = 3").await?;
        let broken_off = number("COUNT(*)", " AND NOT settled AND NOT complete").await?;
        ensure!(all == settled + completed + broken_off, "{settled} + {completed} + {broken_off} of {all}");
        ensure!(settled > 0 && completed > 0 && broken_off > 0, "{settled}, {completed}, {broken_off}: not every end");
        Ok(true)
    })
    .await
}

/// Applications that stream without a pause.
struct Callers {
    http: reqwest::Client,
    root: String,
    key: String,
    next: AtomicU64,
    end: AtomicBool,
}

impl Callers {
    fn new(api: &Api, key: &str) -> Result<Self> {
        let (root, key) = (format!("{}/proxy/openai{PATH}", api.root()), key.to_owned());
        Ok(Self { http: http_client()?, root, key, next: AtomicU64::new(0), end: AtomicBool::new(false) })
    }

    async fn call_until_the_end(&self, mut rng: Rng) -> Result<()> {
        let body = json!({ "model": "gpt-4o-mini", "stream": true });
        while !self.end.load(SeqCst) {
            let id = self.next.fetch_add(1, SeqCst);
            let call = self.http.post(format!("{}{id}", self.root)).bearer_auth(&self.key).json(&body);
            // A process that is gone answers nothing; it is asked again in a moment.
            let Ok(mut answer) = call.send().await else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let leaves_after = rng.bool().then(|| rng.u32(0..EVENTS));
            let mut read = 0;
            while leaves_after != Some(read) && matches!(answer.chunk().await, Ok(Some(_))) {
                read += 1;
            }
        }
        Ok(())
    }
}

/// A provider that streams slowly and sometimes breaks off.
struct Upstream {
    address: SocketAddr,
    asked: Arc<Mutex<BTreeMap<u64, u64>>>,
}

impl Upstream {
    async fn start(mut rng: Rng) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, asked) = (listener.local_addr()?, Arc::<Mutex<BTreeMap<u64, u64>>>::default());
        let counts = Arc::clone(&asked);
        drop(spawn("upstream", async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (counts, rng) = (Arc::clone(&counts), rng.fork());
                drop(spawn("upstream connection", async move { drop(serve(socket, &counts, rng).await) }));
            }
        }));
        Ok(Self { address, asked })
    }

    /// Returns the number of requests for each stream.
    fn asked(&self) -> BTreeMap<u64, u64> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve(mut socket: TcpStream, asked: &Mutex<BTreeMap<u64, u64>>, mut rng: Rng) -> Result<()> {
    socket.set_nodelay(true)?;
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        ensure!(socket.read_buf(&mut head).await? > 0, "no request");
    }
    let head = String::from_utf8_lossy(&head);
    let path = head.split(' ').nth(1).context("no path")?;
    let Some(id) = path.strip_prefix(PATH) else {
        let models = json!({ "object": "list", "data": [] }).to_string();
        let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json";
        socket.write_all(format!("{head}\r\ncontent-length: {}\r\n\r\n{models}", models.len()).as_bytes()).await?;
        return Ok(socket.shutdown().await?);
    };
    *asked.lock().unwrap_or_else(PoisonError::into_inner).entry(id.parse()?).or_default() += 1;
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked";
    socket.write_all(format!("{head}\r\n\r\n").as_bytes()).await?;
    let breaks_off_after = (rng.u8(0..4) == 0).then(|| rng.u32(0..EVENTS));
    for at in 0..EVENTS {
        if breaks_off_after == Some(at) {
            return Ok(());
        }
        let last = json!({ "choices": [], "usage": { "prompt_tokens": 3, "completion_tokens": 4 } });
        let data = if at + 1 == EVENTS { last } else { json!({ "choices": [{ "delta": { "content": "x" } }] }) };
        let event = format!("data: {data}\n\n");
        socket.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).await?;
        tokio::time::sleep(Duration::from_millis(rng.u64(PACE_MS))).await;
    }
    socket.write_all(b"0\r\n\r\n").await?;
    Ok(socket.shutdown().await?)
}
