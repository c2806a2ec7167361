//! Clocks that jump: that of one process, while the others' and the database's are right.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use keyway_domain::Timestamp;

use crate::cluster::Cluster;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// Seconds by which a clock goes wrong, before it is right again.
const JUMPS: [i64; 4] = [HOUR, -HOUR, DAY, -DAY];
/// Environment of a process with a wrong clock. The time of pauses and deadlines stays right, as it does when a real
/// clock is set.
const SETTINGS: [(&str, &str); 3] =
    [("FAKETIME_NO_CACHE", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1"), ("NO_FAKE_STAT", "1")];

/// Each process' clock in turn goes wrong and right again, under load.
pub(crate) async fn jumps(cluster: &mut Cluster) -> Result<u64> {
    let begun = Timestamp::now();
    let members = one_of_each(cluster);
    let library = library()?.display().to_string();
    for at in &members {
        let clock = clock(cluster, *at);
        set(&clock, 0)?;
        cluster.set(*at, "LD_PRELOAD", Some(&library));
        cluster.set(*at, "FAKETIME_TIMESTAMP_FILE", Some(&clock.display().to_string()));
        SETTINGS.iter().for_each(|(name, value)| cluster.set(*at, name, Some(value)));
        cluster.restart(*at).await?;
    }
    cluster.ready().await?;
    let load = cluster.load();
    for seconds in JUMPS {
        for at in &members {
            let clock = clock(cluster, *at);
            set(&clock, seconds)?;
            load.more(25).await?;
            set(&clock, 0)?;
            load.more(10).await?;
        }
    }
    load.stop().await?;
    for at in &members {
        ["LD_PRELOAD", "FAKETIME_TIMESTAMP_FILE"].iter().for_each(|name| cluster.set(*at, name, None));
        SETTINGS.iter().for_each(|(name, _)| cluster.set(*at, name, None));
        cluster.restart(*at).await?;
    }
    cluster.ready().await?;
    fires(cluster, begun).await?;
    Ok((2 * JUMPS.len() * members.len()) as u64)
}

/// One process of each kind: the others know what time it is.
fn one_of_each(cluster: &Cluster) -> Vec<usize> {
    let mut members = vec![cluster.listeners()[0], cluster.workers()[0]];
    members.dedup();
    members
}

/// The rounds that were fired are those that began, and the ones that a wrong clock showed; none is missing.
async fn fires(cluster: &mut Cluster, begun: Timestamp) -> Result<()> {
    let database = cluster.keyway.database().await?;
    let fired = database.texts("SELECT CAST(fire_at_ms AS TEXT) FROM schedule_fires WHERE schedule = 'usage'").await?;
    let round = |at: Timestamp| at.floor(Duration::from_secs(DAY.unsigned_abs())).ms().to_string();
    let now = Timestamp::now();
    ensure!(fired.contains(&round(now)), "today's round was not fired: {fired:?}");
    let shown = |offset: i64| [begun, now].map(|at| round(Timestamp::from_ms(at.ms() + offset * 1000)));
    let shown: Vec<_> = JUMPS.iter().chain([&0]).copied().flat_map(shown).collect();
    let strange: Vec<_> = fired.iter().filter(|at| !shown.contains(at)).collect();
    ensure!(strange.is_empty(), "rounds were fired that no clock showed: {strange:?}");
    let others = fired.iter().filter(|at| **at != round(begun) && **at != round(now)).count();
    cluster.note = format!("{others} rounds of other days were fired");
    Ok(())
}

fn clock(cluster: &Cluster, at: usize) -> PathBuf {
    cluster.keyway.dir.join(format!("clock-{at}"))
}

/// Sets a clock, at once and for whoever reads it.
fn set(clock: &Path, seconds: i64) -> Result<()> {
    let whole = clock.with_extension("new");
    fs::write(&whole, format!("{seconds:+}\n"))?;
    fs::rename(whole, clock)?;
    Ok(())
}

fn library() -> Result<PathBuf> {
    let places = fs::read_dir("/usr/lib")?.filter_map(|place| Some(place.ok()?.path()));
    let mut found = places.map(|place| place.join("faketime/libfaketimeMT.so.1")).filter(|path| path.exists());
    found.next().context("clocks are set by libfaketime, which is not installed; apt install faketime")
}
