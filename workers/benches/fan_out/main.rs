//! The usage fan-out beside its limit: one plan for every integration, fetched by real workers from a provider of fixed
//! latency, against that latency times the requests, divided by the concurrent jobs. Then the cost of planning and
//! draining as the keys grow. Workers are a process of their own; database and broker are real.
//!
//! `cargo bench -p keyway-workers --bench fan_out [-- KEYS...]`: the sizes of the second table.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod ground;
mod provider;
mod role;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use keyway_domain::{Command, Lane, Message, OperationId, Route, Timestamp, UsageWindow};
use keyway_store::{
    operations::{self, NewOperation, Origin},
    outbox, raw,
};
use keyway_testkit::{
    figures::{Figure, Wanted, count, median_of},
    rabbitmq::TestBroker,
};

use ground::Ground;
use provider::REQUESTS_A_KEY;
use role::{CONCURRENCY, Places, Workers};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const KEYS: usize = 10_000;
const LATENCY: Duration = Duration::from_millis(50);
const SIZES: [usize; 2] = [1_000, 10_000];
const DAY: Duration = Duration::from_secs(86_400);
const LOOK: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(1800);
/// Rows per claim of the relay.
const CLAIM: u64 = 256;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if arguments.first().is_some_and(|name| name == role::NAME) {
        return role::run(&arguments[1..]).await;
    }
    let sizes = arguments.iter().map(|text| text.parse()).collect::<Result<Vec<usize>, _>>()?;
    fan_out().await?;
    println!(
        "\n| keys | plan s | MiB peak after planning | claim of {CLAIM} ms | drain keys/s | CPU ms a key | MiB peak | database MiB |"
    );
    println!("|--:|--:|--:|--:|--:|--:|--:|--:|");
    for keys in if sizes.is_empty() { SIZES.to_vec() } else { sizes } {
        println!("{}", growth(keys).await?);
    }
    Ok(())
}

/// Measures the time from the request to the end of the last fetch, nothing prepared.
async fn fan_out() -> Result<()> {
    let run = Run::prepare(KEYS, LATENCY).await?;
    let workers = Workers::start(&run.places)?;
    run.warm_up().await?;
    let began = Instant::now();
    let plan = run.start(run.plan(0)).await?;
    run.until_ended(plan).await?;
    let seconds = began.elapsed().as_secs_f64();
    let limit = LATENCY.as_secs_f64() * count(REQUESTS_A_KEY * KEYS) / f64::from(CONCURRENCY);
    let cpu_ms = workers.cpu_seconds()? * 1e3 / count(KEYS);
    let figure = Figure {
        name: "usage fan-out of 10,000 keys, 3 requests of 50 ms each, 32 at once",
        found: format!("{seconds:.1} s, CPU {cpu_ms:.2} ms a key"),
        limit: format!("{limit:.1} s of waiting"),
        ratio: seconds / limit,
        wanted: Wanted::AtMost(1.2),
    };
    println!("{figure}");
    workers.stop()
}

/// Measures one row: planned for later, then all made due at once and drained from a provider without latency.
async fn growth(keys: usize) -> Result<String> {
    let run = Run::prepare(keys, Duration::ZERO).await?;
    let workers = Workers::start(&run.places)?;
    run.warm_up().await?;
    let began = Instant::now();
    let plan = run.start(run.plan(u64::try_from(DAY.as_millis())?)).await?;
    let planned =
        format!("SELECT count(*) AS n FROM operations WHERE id = '{}' AND planned_at_ms IS NOT NULL", plan.uuid());
    run.until(&planned, 1).await?;
    let (plan_s, planned_mib) = (began.elapsed().as_secs_f64(), workers.peak_memory_mib()?);
    workers.stop()?;
    let tx = run.ground.store.system().await?;
    raw::execute(&tx, &format!("UPDATE outbox SET available_at_ms = {}", Timestamp::now().ms())).await?;
    tx.commit().await?;
    let claim_ms = run.claim_ms().await?;
    let workers = Workers::start(&run.places)?;
    let began = Instant::now();
    run.until_ended(plan).await?;
    let per_second = count(keys) / began.elapsed().as_secs_f64();
    let (cpu_ms, mib) = (workers.cpu_seconds()? * 1e3 / count(keys), workers.peak_memory_mib()?);
    workers.stop()?;
    let tx = run.ground.store.system_read().await?;
    let bytes = raw::number(&tx, "SELECT pg_database_size(current_database()) AS n").await?;
    let size_mib = bytes / (1 << 20);
    Ok(format!(
        "| {keys} | {plan_s:.2} | {planned_mib:.0} | {claim_ms:.1} | {per_second:.0} | {cpu_ms:.2} | {mib:.0} | {size_mib} |"
    ))
}

/// One database with its broker and its provider.
struct Run {
    ground: Ground,
    places: Places,
    _broker: TestBroker,
}

impl Run {
    async fn prepare(keys: usize, latency: Duration) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("keyway-fan-out-{}", OperationId::new()));
        let (keyring, path) = role::keyring(&folder)?;
        let (mut ground, broker) = (Ground::new(keyring).await?, TestBroker::shared().await?);
        let provider = provider::start(latency).await?.to_string();
        ground.add(keys, &format!("http://{provider}/v1")).await?;
        let tx = ground.store.system().await?;
        raw::execute(&tx, "UPDATE integrations SET status = 'connected'").await?;
        tx.commit().await?;
        let database_url = ground.database.url.clone();
        let places = Places { database_url, amqp_url: broker.amqp_url.clone(), keyring: path, provider };
        Ok(Self { ground, places, _broker: broker })
    }

    fn plan(&self, spread_ms: u64) -> Command {
        let to = Timestamp::now();
        let window = UsageWindow { from: to.before(Duration::from_secs(7200)), to };
        Command::PlanUsage { window, spread_ms, recheck: true, provider: None }
    }

    /// Starts a command as the API does: its operation and its message in one transaction.
    async fn start(&self, command: Command) -> Result<OperationId> {
        let (tenant_id, now) = (self.ground.tenant, Timestamp::now());
        let new = NewOperation::of(tenant_id, Origin::Request, command.clone(), now);
        let id = new.id;
        let message = Message::command(tenant_id, id, command);
        let tx = self.ground.store.tenant(tenant_id).await?;
        operations::insert(&tx, new, now).await?;
        outbox::insert(&tx, &[message], now).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Waits until the workers have connected and done one job.
    async fn warm_up(&self) -> Result<()> {
        let integration_id = *self.ground.integrations.first().context("no integration")?;
        let window = UsageWindow { from: Timestamp::now().before(DAY * 30), to: Timestamp::now().before(DAY * 29) };
        let fetch = Command::FetchUsage { integration_id, window, resume: None };
        let id = self.start(fetch).await?;
        self.until_ended(id).await
    }

    async fn until_ended(&self, id: OperationId) -> Result<()> {
        let ended =
            format!("SELECT count(*) AS n FROM operations WHERE id = '{}' AND finished_at_ms IS NOT NULL", id.uuid());
        self.until(&ended, 1).await?;
        let failed = "SELECT count(*) AS n FROM operations WHERE state = 'failed'";
        let tx = self.ground.store.system_read().await?;
        ensure!(raw::number(&tx, failed).await? == 0, "some fetches failed");
        Ok(())
    }

    async fn until(&self, query: &str, wanted: i64) -> Result<()> {
        let began = Instant::now();
        loop {
            let tx = self.ground.store.system_read().await?;
            if raw::number(&tx, query).await? == wanted {
                return Ok(());
            }
            drop(tx);
            ensure!(began.elapsed() < LONGEST, "it takes too long: {query}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Times one claim of the relay while all rows wait; each claim is rolled back.
    async fn claim_ms(&self) -> Result<f64> {
        let mut times = Vec::new();
        for _ in 0..7 {
            let tx = self.ground.store.system().await?;
            let began = Instant::now();
            let rows = outbox::claim(&tx, Route::Lane(Lane::UsageFetch), CLAIM, Timestamp::now().after(DAY)).await?;
            times.push(began.elapsed().as_secs_f64() * 1e3);
            ensure!(!rows.is_empty(), "nothing waits");
        }
        Ok(median_of(times))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Some(folder) = self.places.keyring.parent() {
            // What is left lies in the system's directory for temporary files.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}
