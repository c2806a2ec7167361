//! One tenant sends all it can, or its provider hangs; another one's few submissions are served meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use keyway_telemetry::spawn;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    cluster::{Cluster, base_url, weather},
    harness::{Api, text, until},
    ledger::{KINDS, Kind, Ledger},
};

/// Keys of the host that hangs: more than run at once in all workers.
const HANGING: u64 = 100;
const HANGS: Duration = Duration::from_secs(20);
/// Ten times as many as the ordinary load has.
const FLOODERS: usize = 40;
const FLOOD: Duration = Duration::from_secs(10);
/// Submissions of the other tenant, one after the other.
const FEW: usize = 8;
/// Time limit from a submission to its verdict.
const SERVED: Duration = Duration::from_secs(30);
/// Outbox limit so small that the flood is refused.
const SMALL_OUTBOX: &str = "200";
const LATENCY_MS: u64 = 2_000;
const RECOVERED: Duration = Duration::from_secs(60);
const GROWTH_BYTES: f64 = 256e6;

/// A host that takes requests and never answers has many keys to verify; keys of another host go on.
pub(crate) async fn one_hangs(cluster: &mut Cluster) -> Result<u64> {
    let tenant = tenant(cluster).await?;
    cluster.elsewhere.set(weather(|now| now.holds_answers = true));
    let (api, hangs) = (cluster.keyway.api()?.apart(), base_url(&cluster.elsewhere));
    for _ in 0..HANGING {
        let taken = submit(&api, &hangs, &cluster.ledger, Some(&tenant)).await?;
        ensure!(taken.is_some(), "refused");
    }
    let (begun, mut slowest, mut count) = (Instant::now(), Duration::ZERO, 0);
    while begun.elapsed() < HANGS {
        slowest = slowest.max(served(cluster).await?);
        count += 1;
    }
    cluster.elsewhere.heal();
    cluster.note =
        format!("{count} keys of another host served one by one, each within {:.1} s", slowest.as_secs_f64());
    ensure!(slowest < SERVED, "a key of another host waited {slowest:?}");
    Ok(HANGING)
}

/// A flood beside a small tenant; then a flood against an outbox that takes no more.
pub(crate) async fn one_floods(cluster: &mut Cluster) -> Result<u64> {
    let before = cluster.resident_bytes().await?;
    let flooder = tenant(cluster).await?;
    let flood = Flood::start(cluster, &flooder)?;
    let mut slowest = Duration::ZERO;
    let begun = Instant::now();
    for _ in 0..FEW {
        slowest = slowest.max(served(cluster).await?);
    }
    tokio::time::sleep(FLOOD.saturating_sub(begun.elapsed())).await;
    let first = flood.stop().await?;
    let grown = cluster.resident_bytes().await? - before;
    ensure!(slowest < SERVED, "the other tenant waited {slowest:?}");
    ensure!(grown < GROWTH_BYTES, "a process grew by {:.0} MB", grown / 1e6);
    let (refused, recovered) = refused(cluster, &flooder).await?;
    cluster.note = format!(
        "{first} accepted of the flood, the other tenant served within {:.1} s, {refused} refused, accepted again \
         after {:.1} s, no process grew by more than {:.0} MB",
        slowest.as_secs_f64(),
        recovered.as_secs_f64(),
        grown.max(0.0) / 1e6
    );
    Ok(2)
}

/// With a small outbox the flood is refused clearly, and when it is over new work is soon accepted again.
async fn refused(cluster: &mut Cluster, flooder: &str) -> Result<(u64, Duration)> {
    set_outbox(cluster, Some(SMALL_OUTBOX)).await?;
    cluster.provider.set(weather(|now| now.latency_ms = LATENCY_MS));
    let flood = Flood::start(cluster, flooder)?;
    let refused = Arc::clone(&flood.refused);
    let told = until("the flood is refused", async || Ok(refused.load(Relaxed) > 0)).await;
    flood.stop().await?;
    cluster.provider.heal();
    told?;
    let begun = Instant::now();
    until("new work is accepted", async || {
        let api = cluster.keyway.api()?.apart();
        let answer = submit(&api, &cluster.base_url(), &cluster.ledger, None).await?;
        ensure!(answer.is_some(), "refused");
        Ok(true)
    })
    .await?;
    let recovered = begun.elapsed();
    ensure!(recovered < RECOVERED, "new work was accepted only after {recovered:?}");
    set_outbox(cluster, None).await?;
    Ok((refused.load(Relaxed), recovered))
}

async fn set_outbox(cluster: &mut Cluster, max_rows: Option<&str>) -> Result<()> {
    for at in cluster.listeners() {
        cluster.set(at, "KEYWAY_OUTBOX_MAX_ROWS", max_rows);
        cluster.restart(at).await?;
    }
    cluster.ready().await.map(drop)
}

/// Submits a key of the default tenant until it is accepted, and waits for its verdict; how long that took.
async fn served(cluster: &Cluster) -> Result<Duration> {
    let (api, begun) = (cluster.keyway.api()?.apart(), Instant::now());
    let mut accepted = None;
    until("a submission is accepted", async || {
        accepted = submit(&api, &cluster.base_url(), &cluster.ledger, None).await?;
        Ok(accepted.is_some())
    })
    .await?;
    let (kind, answer) = accepted.context("it was accepted")?;
    let path = format!("/integrations/{}", text(&answer, "/integration/id")?);
    until("the key has its verdict", async || Ok(api.get(&path).await?["status"] == kind.status)).await?;
    Ok(begun.elapsed())
}

async fn tenant(cluster: &Cluster) -> Result<String> {
    let name = format!("flooder {:016x}", fastrand::u64(..));
    text(&cluster.keyway.api()?.post("/tenants", json!({ "name": name }), 201).await?, "/id")
}

/// Clients of one tenant that never pause.
struct Flood {
    over: Arc<AtomicBool>,
    clients: Vec<tokio::task::JoinHandle<Result<u64>>>,
    refused: Arc<AtomicU64>,
}

impl Flood {
    fn start(cluster: &Cluster, tenant: &str) -> Result<Self> {
        let (over, refused) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let apis: Vec<Api> = cluster.keyway.apis().map(Api::apart).collect();
        let clients = apis.iter().cycle().take(FLOODERS).map(|api| {
            let (api, base_url, ledger) = (api.apart(), cluster.base_url(), Arc::clone(&cluster.ledger));
            let (over, refused, tenant) = (Arc::clone(&over), Arc::clone(&refused), tenant.to_owned());
            spawn("flooder", async move {
                let mut accepted = 0;
                while !over.load(Relaxed) {
                    match submit(&api, &base_url, &ledger, Some(&tenant)).await? {
                        Some(_) => accepted += 1,
                        None => drop(refused.fetch_add(1, Relaxed)),
                    }
                }
                anyhow::Ok(accepted)
            })
        });
        Ok(Self { clients: clients.collect(), over, refused })
    }

    /// Ends it; how many submissions were accepted.
    async fn stop(self) -> Result<u64> {
        self.over.store(true, Relaxed);
        try_join_all(self.clients).await?.into_iter().sum()
    }
}

/// Submits once; nothing when it was refused for now, and that clearly.
async fn submit(api: &Api, base_url: &str, ledger: &Ledger, tenant: Option<&str>) -> Result<Option<(Kind, Value)>> {
    let kind = KINDS[0];
    let (name, credentials) = ledger.fresh(kind);
    let config = json!({ "base_url": base_url });
    let body = json!({ "provider": "openai", "name": name, "credentials": credentials, "config": config });
    let header = tenant.map(|tenant| ("keyway-tenant", tenant));
    let answer = api.send(Method::POST, "/api/v1/integrations", Some(body), header.as_slice()).await?;
    if answer.status == 503 {
        let code = answer.body["error"]["code"].as_str().unwrap_or_default();
        ensure!(matches!(code, "overloaded" | "unavailable"), "refused with {}", answer.text);
        ensure!(answer.header("retry-after").is_some(), "refused without a word on when to come again");
        ledger.unanswered(None);
        return Ok(None);
    }
    let answer = answer.expect(202)?;
    ledger.submitted(kind, &answer)?;
    Ok(Some((kind, answer)))
}
