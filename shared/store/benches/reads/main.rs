//! What the dashboard reads, at size: from rollups and bounded pages, beside a scan of the calls on the same database.
//!
//! `cargo bench -p keyway-store --bench reads [-- CALLS]`

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

mod direct;
mod read;
mod seed;

use std::time::Instant;

use anyhow::{Result, ensure};
use keyway_domain::Timestamp;
use keyway_store::{DatabaseLimits, Store, tenants};
use keyway_testkit::{
    figures::{Figure, Wanted},
    postgres::TestDatabase,
};
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection};

use read::Read;

const CALLS: i64 = 1_000_000;
/// Readings of each side; a scan is slow, and its times lie close together.
const READINGS: usize = 60;
const SCANS: usize = 3;
/// Longest time in milliseconds that a view may take at this size.
const LIMIT_MS: f64 = 200.0;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let calls: i64 = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(CALLS);
    let database = TestDatabase::postgres().await?;
    keyway_migrations::migrate(&database.url).await?;
    let store = Store::connect(&database.url, DatabaseLimits::default()).await?;
    let tx = store.system().await?;
    let tenant_id = tenants::ensure_default(&tx, Timestamp::now()).await?.id;
    tx.commit().await?;
    let owner = Database::connect(&database.url).await?;
    let filled = Instant::now();
    seed::fill(&owner, tenant_id, calls).await?;
    println!("{calls} calls of {} integrations are there after {:.0} s", seed::INTEGRATIONS, seconds(filled));
    let upgraded = Instant::now();
    keyway_migrations::migrate(&database.url).await?;
    println!("the migration took {:.1} s with them", seconds(upgraded));
    owner.execute_unprepared("VACUUM ANALYZE").await?;

    println!("\n| read | lines | p50 ms | p99 ms | scan of the calls: p50 ms | x |\n|---|--:|--:|--:|--:|--:|");
    let (mut slowest, mut slowest_scan) = (0.0_f64, 0.0_f64);
    for read in read::all() {
        let (own, lines) = own(&store, tenant_id, &read).await?;
        let scan = scanned(&owner, &direct::statement(&read, tenant_id)).await?;
        let times = scan / own[READINGS / 2];
        let p99 = own[READINGS - 1];
        println!("| {} | {lines} | {:.1} | {p99:.1} | {scan:.0} | {times:.0} |", read.name, own[READINGS / 2]);
        (slowest, slowest_scan) = (slowest.max(p99), slowest_scan.max(scan));
    }
    let (found, limit) = (format!("{slowest:.0} ms, a scan {slowest_scan:.0} ms"), format!("{LIMIT_MS:.0} ms"));
    let (ratio, wanted) = (slowest / LIMIT_MS, Wanted::AtMost(1.0));
    println!("{}", Figure { name: "the slowest read of the dashboard", found, limit, ratio, wanted });
    Ok(())
}

/// Returns the sorted times of a read in milliseconds, and the number of its lines.
async fn own(store: &Store, tenant_id: keyway_domain::TenantId, read: &Read) -> Result<(Vec<f64>, usize)> {
    let (mut times, mut lines) = (Vec::new(), 0);
    for _ in 0..READINGS {
        let began = Instant::now();
        let tx = store.tenant_read(tenant_id).await?;
        lines = read.lines(&tx).await?;
        drop(tx);
        times.push(seconds(began) * 1000.0);
    }
    times.sort_unstable_by(f64::total_cmp);
    Ok((times, lines))
}

/// Returns the median time of a scan in milliseconds.
async fn scanned(owner: &DatabaseConnection, statement: &str) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..SCANS {
        let began = Instant::now();
        owner.query_all_raw(sea_orm::Statement::from_string(owner.get_database_backend(), statement)).await?;
        times.push(seconds(began) * 1000.0);
    }
    times.sort_unstable_by(f64::total_cmp);
    ensure!(times.len() == SCANS);
    Ok(times[SCANS / 2])
}

fn seconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64()
}
